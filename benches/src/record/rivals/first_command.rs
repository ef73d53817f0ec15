//! The first command of a connection, which prepares its statements: an update, without the time of connecting.

use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{EventedDsl as _, Run, RunAsync};
use tokio::runtime::Runtime;

use super::{ASYNC, BLOCKING, DIESEL, DIESEL_ASYNC, NAME, by_hand};
use crate::measure::{Ratio, Times};
use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;

/// How often each contestant connects in a round.
const CONNECTIONS: u32 = 20;

pub(super) fn run(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(url)?;
    let (one, other) = (by_hand::create(&mut conn, NAME)?, by_hand::create(&mut conn, NAME)?);
    let (third, fourth) =
        (Run::run(Task::insert(new(NAME)), &mut conn)?, Run::run(Task::insert(new(NAME)), &mut conn)?);
    let mut times = Times::of([DIESEL, DIESEL_ASYNC, BLOCKING, ASYNC]);
    for round in 0..=bench.rounds {
        let mut sums = [Duration::ZERO; 4];
        for n in 0..CONNECTIONS {
            let name = format!("task {round} {n}");
            let mut conn = PgConnection::establish(url)?;
            let start = Instant::now();
            by_hand::update(&mut conn, one, &name)?;
            sums[0] += start.elapsed();
            let mut conn = runtime.block_on(AsyncPgConnection::establish(url))?;
            let start = Instant::now();
            runtime.block_on(by_hand::update_async(&mut conn, other, &name))?;
            sums[1] += start.elapsed();
            let mut conn = PgConnection::establish(url)?;
            let start = Instant::now();
            Run::run(third.update(renamed(name.as_str())), &mut conn)?;
            sums[2] += start.elapsed();
            let mut conn = runtime.block_on(AsyncPgConnection::establish(url))?;
            let start = Instant::now();
            runtime.block_on(RunAsync::run(fourth.update(renamed(name.as_str())), &mut conn))?;
            sums[3] += start.elapsed();
        }
        // The first round warms the caches.
        if round > 0 {
            times.push(&sums);
        }
    }
    for (face, ours, base) in [("blocking", BLOCKING, DIESEL), ("async", ASYNC, DIESEL_ASYNC)] {
        let ratio: Option<Ratio> = times.ratio(ours, base);
        if let Some(ratio) = ratio {
            report.at_most(&format!("record/rivals-first-command-{face}"), 1.5, &ratio, CONNECTIONS);
        }
    }
    Ok(())
}
