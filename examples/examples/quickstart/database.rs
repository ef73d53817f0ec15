//! Creates a new database, and reads its rows with plain Diesel.

use anyhow::{Context, ensure};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::Id;
use evented_diesel::migrations::{Database, Migrations};

use crate::model::{Item, items};

/// Opens SQLite, in a new file or in memory.
pub fn sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    ensure!(
        url == ":memory:" || !std::path::Path::new(url).exists(),
        "{url} exists already: name a new file"
    );
    let mut conn = SqliteConnection::establish(url).with_context(|| format!("cannot open {url}"))?;
    conn.batch_execute(
        "CREATE TABLE items (id BLOB PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, archived_at TEXT)",
    )?;
    conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Database::Sqlite))?;
    Ok(conn)
}

/// Opens PostgreSQL, and creates the example's schema from scratch.
#[cfg(feature = "postgres")]
pub fn postgres(url: &str) -> anyhow::Result<PgConnection> {
    let mut conn = PgConnection::establish(url).context("cannot reach the server")?;
    conn.batch_execute(
        "SET client_min_messages = warning;
         DROP SCHEMA IF EXISTS evented_quickstart CASCADE;
         CREATE SCHEMA evented_quickstart;
         SET search_path = evented_quickstart;
         CREATE TABLE items (
             id UUID PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, archived_at TIMESTAMPTZ
         )",
    )?;
    conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Database::Postgres))?;
    Ok(conn)
}

/// Reads a row with plain Diesel.
pub fn row_sqlite(conn: &mut SqliteConnection, id: Id<Item>) -> QueryResult<Item> {
    items::table.find(id).select(Item::as_select()).first(conn)
}

/// Reads a row with plain Diesel.
#[cfg(feature = "postgres")]
pub fn row_postgres(conn: &mut PgConnection, id: Id<Item>) -> QueryResult<Item> {
    items::table.find(id).select(Item::as_select()).first(conn)
}
