//! Measures a change that matches ten subscriptions, of a hundred or of a hundred thousand.

use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run, batch};
use evented_feed::{Feed, Hub};

use super::model::{self, Job, new, renamed};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

const FEW: i32 = 100;
const MANY: i32 = 100_000;
const MATCHING: i32 = 10;
const JOBS: usize = 1_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("listen/subscriptions") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (mut many, mut few) =
        (Side::new(&folder.path().join("many"), MANY)?, Side::new(&folder.path().join("few"), FEW)?);
    let ratio = compare(bench.rounds, || many.change_all(), || few.change_all())?;
    report.at_most("listen/subscriptions", 1.3, &ratio, u32::try_from(JOBS)?);
    Ok(())
}

struct Side {
    conn: SqliteConnection,
    hub: Hub,
    matching: Vec<Feed<Job>>,
    _others: Vec<Feed<Job>>,
    jobs: Vec<Job>,
    round: u32,
}

impl Side {
    fn new(folder: &std::path::Path, subscriptions: i32) -> anyhow::Result<Self> {
        std::fs::create_dir(folder)?;
        let path = model::sqlite(folder)?;
        let mut conn = SqliteConnection::establish(&path)?;
        let jobs = batch((0..JOBS).map(|n| Job::insert(new(0, format!("job {n}"))))).run(&mut conn)?;
        let hub = Hub::of::<Job>().start(move || SqliteConnection::establish(&path))?;
        let subscribe = |org: i32| hub.subscribe(Job::changes().scope(Job::ORG.eq(org)));
        let matching = (0..MATCHING).map(|_| subscribe(0)).collect::<Result<_, _>>()?;
        let others = (MATCHING..subscriptions).map(subscribe).collect::<Result<_, _>>()?;
        Ok(Self { conn, hub, matching, _others: others, jobs, round: 0 })
    }

    /// Makes a thousand changes, each of which the hub delivers to ten subscribers.
    fn change_all(&mut self) -> anyhow::Result<()> {
        self.round += 1;
        let name = format!("round {}", self.round);
        batch(self.jobs.iter().map(|job| job.update(renamed(&name)))).run(&mut self.conn)?;
        for feed in &mut self.matching {
            for _ in 0..JOBS {
                feed.recv().ok_or_else(|| anyhow::anyhow!("the hub has stopped"))??;
            }
        }
        anyhow::ensure!(self.hub.status().connected);
        Ok(())
    }
}
