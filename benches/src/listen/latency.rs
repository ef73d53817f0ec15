//! Measures the latency from the commit to the subscriber by polling alone, without hints.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use evented_diesel::{Error, EventedDsl as _, Run};
use evented_feed::Hub;

use super::model::{self, Job, new};
use crate::report::Report;
use crate::setup::Bench;

const WRITES: usize = 2_000;
/// The highest allowed 99th percentile, in milliseconds.
const MOST: f64 = 5.0;

macro_rules! measure {
    ($hub:ident, $conn:ident, $report:ident, $name:literal) => {{
        let mut feed = $hub.subscribe(Job::changes())?;
        let mut times = Vec::with_capacity(WRITES);
        for write in 0..WRITES {
            // A transaction of the caller sends no hint: the hub finds the change by polling.
            $conn.transaction(|conn| {
                Job::insert(new(1, "job"))
                    .run(conn)
                    .map(drop)
                    .map_err(Box::<Error>::from)
                    .map_err(|error| diesel::result::Error::QueryBuilderError(error))
            })?;
            let committed = Instant::now();
            feed.recv().ok_or_else(|| anyhow::anyhow!("the hub has stopped"))??;
            times.push(committed.elapsed());
            // Vary the pause, so that the writes do not fall into step with the hub's polls.
            std::thread::sleep(Duration::from_micros(700 + (write as u64 * 379) % 2_300));
        }
        times.sort();
        let (half, most) = (times[WRITES / 2], times[WRITES * 99 / 100]);
        let detail = format!("p50 {half:.1?}, p99 {most:.1?}; the row is p99 in ms");
        $report.row($name, most.as_secs_f64() * 1_000.0, MOST, "at most", detail);
    }};
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("listen/latency-postgres") {
        let url = model::postgres(bench, "bench_listen_latency")?;
        let mut conn = PgConnection::establish(&url)?;
        let hub = Hub::of::<Job>().start(move || PgConnection::establish(&url))?;
        measure!(hub, conn, report, "listen/latency-postgres");
    }
    if bench.wants("listen/latency-sqlite") {
        let folder = tempfile::tempdir()?;
        let path = model::sqlite(folder.path())?;
        let mut conn = SqliteConnection::establish(&path)?;
        let hub = Hub::of::<Job>().start(move || SqliteConnection::establish(&path))?;
        measure!(hub, conn, report, "listen/latency-sqlite");
    }
    Ok(())
}
