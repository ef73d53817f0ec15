//! Measures that a hub that reads the log does not slow writers down.

use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::Hub;

use super::model::{self, Job, new};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

/// The number of writes: large enough that the start of the hub, which is within the measured time, is negligible.
const WRITES: u32 = 6_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("listen/writers") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_listen_writers")?;
    let mut conn = PgConnection::establish(&url)?;
    let mut other = PgConnection::establish(&url)?;
    let write = |conn: &mut PgConnection| -> anyhow::Result<()> {
        for _ in 0..WRITES {
            Job::insert(new(1, "job")).run(conn)?;
        }
        Ok(())
    };
    let ratio = compare(
        bench.rounds,
        || {
            let url = url.clone();
            let hub = Hub::of::<Job>().start(move || PgConnection::establish(&url))?;
            let _feed = hub.subscribe_builder(Job::changes()).buffer(WRITES as usize + 1).feed()?;
            write(&mut conn)
        },
        || write(&mut other),
    )?;
    report.at_most("listen/writers", 1.05, &ratio, WRITES);
    Ok(())
}
