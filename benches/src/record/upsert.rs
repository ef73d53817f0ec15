//! Measures upserts of a record that exists, against updates of it.

use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, EventedTableDsl as _, Run};

use super::sqlite;
use crate::measure::{Ratio, compare};
use crate::model::{Task, TaskChanges, new, tasks};
use crate::report::Report;
use crate::setup::Bench;

const OPERATIONS: u32 = 400;

/// Compares on two connections, on which a unique index identifies a task by its name.
macro_rules! measure {
    ($bench:ident, $ours:expr, $base:expr) => {{
        let (mut ours, mut base) = ($ours, $base);
        for conn in [&mut ours, &mut base] {
            diesel::sql_query("CREATE UNIQUE INDEX tasks_name ON tasks (name)").execute(conn)?;
        }
        Task::insert(new("task")).run(&mut ours)?;
        let task = Task::insert(new("task")).run(&mut base)?;
        let (mut done, mut other) = (false, false);
        let ratio: Ratio = compare(
            $bench.rounds,
            || {
                for _ in 0..OPERATIONS {
                    done = !done;
                    let changes = TaskChanges { done: Some(done), name: None };
                    Task::upsert(new("task")).on(tasks::name).set(changes).run(&mut ours)?;
                }
                Ok(())
            },
            || {
                for _ in 0..OPERATIONS {
                    other = !other;
                    let changes = TaskChanges { done: Some(other), name: None };
                    task.update(changes).run(&mut base)?;
                }
                Ok(())
            },
        )?;
        ratio
    }};
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("record/upsert") {
        let open = |name| anyhow::Ok(PgConnection::establish(&bench.fresh(name)?)?);
        let ratio = measure!(bench, open("bench_upsert_ours")?, open("bench_upsert_base")?);
        report.at_most("record/upsert", 1.3, &ratio, OPERATIONS);
    }
    if bench.wants("record/sqlite-upsert") {
        let folder = tempfile::tempdir()?;
        let ratio = measure!(bench, sqlite::open(&folder, "ours.db")?, sqlite::open(&folder, "base.db")?);
        report.at_most("record/sqlite-upsert", 1.3, &ratio, OPERATIONS);
    }
    Ok(())
}
