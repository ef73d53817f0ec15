//! Measures the bytes that an event takes on PostgreSQL: its row and its entries in the indexes.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use evented_diesel::{EventedDsl as _, Run, batch};

use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;

const TASKS: i64 = 100_000;
const PART: i64 = 10_000;

#[derive(QueryableByName)]
struct Bytes {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/size") {
        return Ok(());
    }
    let url = bench.fresh("bench_log_size")?;
    let mut conn = PgConnection::establish(&url)?;
    diesel::sql_query("SET synchronous_commit = off").execute(&mut conn)?;
    let (mut made, mut all) = (0, Vec::new());
    while made < TASKS {
        all.extend(batch((0..PART).map(|n| Task::insert(new(format!("task {n}"))))).run(&mut conn)?);
        made += PART;
    }
    let size = bytes(&mut conn)? as f64 / TASKS as f64;
    let detail = format!("{TASKS} inserts of a record with a UUID; the row is bytes an event");
    report.row("log/size-inserts", size, 240.0, "at most", detail);
    // Records far from each other, as in a table that is in use.
    let parts = usize::try_from(TASKS / PART)?;
    for part in 0..parts {
        let some = all.iter().skip(part).step_by(parts);
        batch(some.map(|task| task.update(renamed("done")))).run(&mut conn)?;
    }
    let size = bytes(&mut conn)? as f64 / (2 * TASKS) as f64;
    let detail = "the same, and as many updates".to_owned();
    report.row("log/size-updates", size, 240.0, "at most", detail);
    Ok(())
}

fn bytes(conn: &mut PgConnection) -> anyhow::Result<i64> {
    let sql = "SELECT pg_total_relation_size('tasks_events') AS bytes";
    Ok(diesel::sql_query(sql).get_result::<Bytes>(conn)?.bytes)
}
