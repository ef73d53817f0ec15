//! What writers feel of a hub that reads the log beside them: nothing.

use diesel::prelude::*;
use evented_diesel::Run;
use evented_diesel::listen::Hub;

use super::model::{self, Job, new};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

/// So many that starting the hub, which is within the time, does not count.
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
            let _feed = hub.subscribing(Job::changes()).buffer(WRITES as usize + 1).feed()?;
            write(&mut conn)
        },
        || write(&mut other),
    )?;
    report.at_most("listen/writers", 1.05, &ratio, WRITES);
    Ok(())
}
