//! Measures the bytes per event on disk, indexes included.

use diesel::prelude::*;
use evented_diesel::{Run, batch};

use crate::model::{Task, new};
use crate::report::Report;
use crate::setup::Bench;

#[derive(QueryableByName)]
struct Size {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    bytes: i64,
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/size") {
        return Ok(());
    }
    const EVENTS: i64 = 100_000;
    let url = bench.fresh("bench_size")?;
    let mut conn = PgConnection::establish(&url)?;
    for _ in 0..10 {
        batch((0..EVENTS / 10).map(|n| Task::insert(new(format!("task {n}"))))).run(&mut conn)?;
    }
    let query = diesel::sql_query("SELECT pg_total_relation_size('tasks_events') AS bytes");
    let size: Size = query.get_result(&mut conn)?;
    report.note(format!("bytes per event, indexes included: {} (peers: 171 to 360)", size.bytes / EVENTS));
    Ok(())
}
