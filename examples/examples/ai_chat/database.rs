//! Creates a new database. It contains only the log: conversations have no table.

use anyhow::{Context, ensure};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};

use crate::model::AiEvents;

/// Opens SQLite, in a new file or in memory.
pub fn sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    ensure!(
        url == ":memory:" || !std::path::Path::new(url).exists(),
        "{url} exists already: name a new file"
    );
    let mut conn = SqliteConnection::establish(url).with_context(|| format!("cannot open {url}"))?;
    conn.batch_execute(&Migrations::new().event_log::<AiEvents>().up_sql(Database::Sqlite))?;
    Ok(conn)
}

/// Opens PostgreSQL, and creates the example's schema from scratch.
#[cfg(feature = "postgres")]
pub fn postgres(url: &str) -> anyhow::Result<PgConnection> {
    let mut conn = PgConnection::establish(url).context("cannot reach the server")?;
    conn.batch_execute(
        "SET client_min_messages = warning;
         DROP SCHEMA IF EXISTS evented_ai_chat CASCADE;
         CREATE SCHEMA evented_ai_chat;
         SET search_path = evented_ai_chat",
    )?;
    conn.batch_execute(&Migrations::new().event_log::<AiEvents>().up_sql(Database::Postgres))?;
    Ok(conn)
}
