//! Measures creates in one transaction on SQLite, against hand-written inserts.

use chrono::Utc;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::sql_types::Uid;
use evented_diesel::{Error, EventedDsl as _, Run};
use tempfile::TempDir;
use uuid::Uuid;

use crate::measure::compare;
use crate::model::{SQLITE, Task, new, tasks};
use crate::report::Report;
use crate::setup::Bench;

const OPERATIONS: u32 = 4_000;

/// Creates a file with the tables, with the settings of a typical server, but without WAL checkpoints, which would fall
/// into the rounds of one side or the other.
pub(super) fn open(folder: &TempDir, name: &str) -> anyhow::Result<SqliteConnection> {
    let mut conn = SqliteConnection::establish(&folder.path().join(name).to_string_lossy())?;
    conn.batch_execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -64000;
         PRAGMA wal_autocheckpoint = 0",
    )?;
    conn.batch_execute(SQLITE)?;
    conn.batch_execute(&Migrations::new().log::<Task>().up_sql(Database::Sqlite))?;
    Ok(conn)
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/sqlite") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (mut ours, mut by_hand) = (open(&folder, "ours.db")?, open(&folder, "by_hand.db")?);
    let ratio = compare(
        bench.rounds,
        || {
            ours.transaction(|conn| {
                for n in 0..OPERATIONS {
                    Task::insert(new(format!("task {n}"))).run(conn)?;
                }
                Ok::<_, Error>(())
            })?;
            Ok(())
        },
        || {
            by_hand.transaction(|conn| {
                for n in 0..OPERATIONS {
                    insert(conn, &format!("task {n}"))?;
                }
                Ok::<_, anyhow::Error>(())
            })
        },
    )?;
    report.at_most("record/sqlite-create", 1.3, &ratio, OPERATIONS);
    Ok(())
}

diesel::table! {
    use diesel::sql_types::*;
    #[sql_name = "tasks_events"]
    events (position) {
        position -> BigInt,
        record_id -> evented_diesel::sql_types::Uid,
        revision -> BigInt,
        at -> Text,
        version -> SmallInt,
        action -> Text,
        payload -> Text,
        id -> evented_diesel::sql_types::Uid,
        state -> Binary,
    }
}

/// Inserts the event and the row as hand-written code does, in statements that Diesel keeps prepared.
fn insert(conn: &mut SqliteConnection, name: &str) -> anyhow::Result<()> {
    let id = Uuid::now_v7();
    let payload = serde_json::to_string(&serde_json::json!({ "name": name }))?;
    diesel::insert_into(events::table)
        .values((
            events::record_id.eq(Uid::bind(id)),
            events::revision.eq(1),
            events::at.eq(Utc::now().format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string()),
            events::version.eq(0),
            events::action.eq("insert"),
            events::payload.eq(payload),
            events::id.eq(Uid::bind(id)),
            events::state.eq([7_u8; 16].as_slice()),
        ))
        .execute(conn)?;
    diesel::insert_into(tasks::table)
        .values((tasks::id.eq(Uid::bind(id)), tasks::name.eq(name), tasks::done.eq(false)))
        .execute(conn)?;
    Ok(())
}
