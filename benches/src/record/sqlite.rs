//! SQLite: creates in one transaction, against hand-written inserts.

use chrono::Utc;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Text};
use evented_diesel::migrations::{Flavour, Migrations};
use evented_diesel::{Error, Run};
use uuid::Uuid;

use crate::measure::compare;
use crate::model::{SQLITE, Task, new};
use crate::report::Report;
use crate::setup::Bench;

const OPERATIONS: u32 = 4_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/sqlite") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let open = |name: &str| -> anyhow::Result<SqliteConnection> {
        let mut conn = SqliteConnection::establish(&folder.path().join(name).to_string_lossy())?;
        conn.batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
        conn.batch_execute(SQLITE)?;
        conn.batch_execute(&Migrations::new().log::<Task>().up_sql(Flavour::Sqlite))?;
        Ok(conn)
    };
    let (mut ours, mut by_hand) = (open("ours.db")?, open("by_hand.db")?);
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

/// Event and row as one would write them by hand.
fn insert(conn: &mut SqliteConnection, name: &str) -> anyhow::Result<()> {
    let id = Uuid::now_v7();
    let payload = serde_json::to_string(&serde_json::json!({ "name": name }))?;
    diesel::sql_query(
        "INSERT INTO tasks_events (id, schema, record_id, revision, action, version, payload, at, state) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind::<Binary, _>(id.as_bytes().as_slice())
    .bind::<Text, _>("tasks")
    .bind::<Binary, _>(id.as_bytes().as_slice())
    .bind::<BigInt, _>(1)
    .bind::<Text, _>("insert")
    .bind::<Integer, _>(0)
    .bind::<Text, _>(payload)
    .bind::<Text, _>(Utc::now().format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string())
    .bind::<Binary, _>([7_u8; 16].as_slice())
    .execute(conn)?;
    diesel::sql_query("INSERT INTO tasks (id, name, done) VALUES (?, ?, ?)")
        .bind::<Binary, _>(id.as_bytes().as_slice())
        .bind::<Text, _>(name)
        .bind::<Bool, _>(false)
        .execute(conn)?;
    Ok(())
}
