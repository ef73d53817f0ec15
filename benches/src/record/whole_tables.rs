//! Measures operations on a table of a million rows: adoption of what plain SQL changed, against the check of the table, and
//! checks and rebuilds of a table whose keys have another collation than its log, against those of a plain one.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;

use crate::measure::{Ratio, timed};
use crate::model::Task;
use crate::report::Report;
use crate::setup::Bench;

const ROWS: u32 = 1_000_000;
const CHANGED: u32 = 100_000;
/// A round takes a minute.
const ROUNDS: usize = 3;

diesel::table! {
    files (path) { path -> Text, title -> Text }
}

/// A record whose key is a text.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = files, primary_key(path))]
struct File {
    path: String,
    title: String,
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("record/adopt") {
        adopt(bench, report)?;
    }
    if bench.wants("record/collation") {
        collation(bench, report)?;
    }
    Ok(())
}

fn adopt(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(&bench.fresh("bench_adopt")?)?;
    conn.batch_execute(&format!(
        "INSERT INTO tasks SELECT gen_random_uuid(), 'task ' || i, false FROM generate_series(1, {ROWS}) i"
    ))?;
    Task::backfill().chunk(20_000).run(&mut conn)?;
    conn.batch_execute("VACUUM ANALYZE tasks")?;
    conn.batch_execute("VACUUM ANALYZE tasks_events")?;
    let (mut ours, mut base) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let every = ROWS / CHANGED;
        conn.batch_execute(&format!(
            "UPDATE tasks SET name = name || '!' WHERE right(split_part(name, '!', 1), 1) = '{}'",
            9 % every
        ))?;
        ours.push(timed(&mut || {
            let adopted = Task::adopt().run(&mut conn)?;
            anyhow::ensure!(adopted.changed == u64::from(CHANGED), "{adopted:?}");
            Ok(())
        })?);
        base.push(timed(&mut || {
            anyhow::ensure!(Task::verify_table().run(&mut conn)?.is_empty(), "the table differs");
            Ok(())
        })?);
    }
    report.at_most("record/adopt-100000-of-1000000", 3.0, &Ratio::of(&ours, &base), 1);
    Ok(())
}

/// Opens a table of files whose paths have a collation.
fn files(bench: &Bench, name: &str, collation: &str) -> anyhow::Result<PgConnection> {
    let mut conn = PgConnection::establish(&bench.fresh(name)?)?;
    conn.batch_execute(&format!(
        "CREATE TABLE files (path TEXT {collation} PRIMARY KEY, title TEXT NOT NULL)"
    ))?;
    Migrations::of::<File>().run(&mut conn)?;
    conn.batch_execute(&format!(
        "INSERT INTO files SELECT (CASE WHEN i % 2 = 0 THEN 'a' ELSE 'B' END) || md5(i::text), 'title' \
         FROM generate_series(1, {ROWS}) i"
    ))?;
    File::backfill().chunk(20_000).run(&mut conn)?;
    conn.batch_execute("VACUUM ANALYZE files")?;
    conn.batch_execute("VACUUM ANALYZE files_events")?;
    Ok(conn)
}

fn collation(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let mut other = files(bench, "bench_collation_icu", "COLLATE \"und-x-icu\"")?;
    let mut plain = files(bench, "bench_collation_plain", "")?;
    let verify = |conn: &mut PgConnection| {
        timed(&mut || {
            anyhow::ensure!(File::verify_table().run(conn)?.is_empty(), "the table differs");
            Ok(())
        })
    };
    let rebuild = |conn: &mut PgConnection| {
        timed(&mut || {
            let done = File::rebuild().run(conn)?;
            anyhow::ensure!(done.inserted + done.updated + done.removed == 0, "{done:?}");
            Ok(())
        })
    };
    let mut measured: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        measured[0].push(verify(&mut other)?);
        measured[1].push(verify(&mut plain)?);
        measured[2].push(rebuild(&mut other)?);
        measured[3].push(rebuild(&mut plain)?);
    }
    let [verify_other, verify_plain, rebuild_other, rebuild_plain] = &measured;
    report.at_most("record/collation-verify", 1.3, &Ratio::of(verify_other, verify_plain), 1);
    report.at_most("record/collation-rebuild", 1.3, &Ratio::of(rebuild_other, rebuild_plain), 1);
    Ok(())
}
