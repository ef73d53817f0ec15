//! Measures a change of ten thousand rows, against the plain `UPDATE` and an `INSERT` of as many rows into the log.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::{Batch, EventedDsl as _, EventedTableDsl as _, Run, batch};

use super::sqlite;
use crate::measure::{Ratio, compare};
use crate::model::{Task, TaskChanges, new, tasks};
use crate::report::Report;
use crate::setup::Bench;

const ROWS: u32 = 10_000;

/// Changes every row of a connection.
macro_rules! change_of {
    ($conn:ident) => {
        |done: bool| {
            let changes = TaskChanges { done: Some(done), name: None };
            Ok(Task::update_where(tasks::done.eq(!done), changes).run(&mut $conn)?)
        }
    };
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("record/many-rows") {
        let open = |name| anyhow::Ok(PgConnection::establish(&bench.fresh(name)?)?);
        let (mut ours, mut plain) = (open("bench_many_ours")?, open("bench_many_plain")?);
        all().run(&mut ours)?;
        all().run(&mut plain)?;
        let values = ["gen_random_uuid()", "decode(repeat('00', 32), 'hex')", "now()"];
        let ratio = measure(bench, change_of!(ours), &mut plain, values)?;
        report.at_least("record/many-rows-10000", 0.4, &ratio, ROWS);
    }
    if bench.wants("record/sqlite-many-rows") {
        let folder = tempfile::tempdir()?;
        let (mut ours, mut plain) = (sqlite::open(&folder, "ours.db")?, sqlite::open(&folder, "plain.db")?);
        all().run(&mut ours)?;
        all().run(&mut plain)?;
        let values = ["randomblob(16)", "zeroblob(32)", "strftime('%Y-%m-%d %H:%M:%f', 'now')"];
        let ratio = measure(bench, change_of!(ours), &mut plain, values)?;
        report.at_least("record/sqlite-many-rows-10000", 0.25, &ratio, ROWS);
    }
    Ok(())
}

/// Creates the rows.
fn all() -> Batch<Task> {
    batch((0..ROWS).map(|n| Task::insert(new(format!("task {n}")))))
}

/// Compares. On the plain side, the database makes the ids, states and times of the events.
fn measure(
    bench: &Bench,
    mut change: impl FnMut(bool) -> anyhow::Result<u64>,
    plain: &mut impl SimpleConnection,
    [id, state, now]: [&str; 3],
) -> anyhow::Result<Ratio> {
    let (mut done, mut revision) = (false, 1);
    compare(
        bench.rounds,
        || {
            done = !done;
            anyhow::ensure!(change(done)? == u64::from(ROWS), "not all were changed");
            Ok(())
        },
        || {
            revision += 1;
            plain.batch_execute(&format!(
                "BEGIN; UPDATE tasks SET done = NOT done WHERE done = {}; \
                 INSERT INTO tasks_events (id, record_id, revision, action, version, payload, at, state) \
                 SELECT {id}, id, {revision}, 'update', 0, '{{\"done\":true}}', {now}, {state} FROM tasks; COMMIT",
                revision % 2 == 1,
            ))?;
            Ok(())
        },
    )
}
