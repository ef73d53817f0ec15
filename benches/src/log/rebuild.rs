//! Measures rebuilding a table from its log, against `INSERT … SELECT` of the same rows from a copy.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::{EventedTableDsl as _, Run};

use super::models::{fill, fresh, hashed::Task};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

const TASKS: i64 = 50_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/rebuild") {
        return Ok(());
    }
    let url = fresh(bench, "bench_log_rebuild")?;
    let (mut ours, mut baseline) = (PgConnection::establish(&url)?, PgConnection::establish(&url)?);
    fill(&mut ours, TASKS, 0)?;
    baseline.batch_execute("CREATE TABLE copy AS SELECT * FROM hashed_tasks; ANALYZE copy")?;
    let ratio = compare(
        bench.rounds,
        || {
            ours.batch_execute("TRUNCATE hashed_tasks")?;
            let done = Task::rebuild().run(&mut ours)?;
            anyhow::ensure!(done.inserted == TASKS.unsigned_abs(), "{done:?}");
            Ok(())
        },
        || {
            baseline.batch_execute("TRUNCATE hashed_tasks")?;
            baseline.batch_execute("BEGIN; INSERT INTO hashed_tasks SELECT * FROM copy; COMMIT")?;
            Ok(())
        },
    )?;
    report.at_least("log/rebuild", 0.4, &ratio, u32::try_from(TASKS)?);
    Ok(())
}
