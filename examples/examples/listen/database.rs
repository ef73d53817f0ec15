//! Opens the database: a file that both processes open.

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::dsl::{exists, select};
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};

use crate::model::Item;

diesel::table! {
    sqlite_master (name) { name -> Text }
}

/// Opens the file. The first process creates the tables.
pub fn open(file: &str) -> anyhow::Result<SqliteConnection> {
    let mut conn = SqliteConnection::establish(file).with_context(|| format!("cannot open {file}"))?;
    // In WAL mode, a reader and a writer do not wait for each other.
    conn.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL")?;
    conn.immediate_transaction(|conn| {
        let there = sqlite_master::table.filter(sqlite_master::name.eq("items"));
        if !select(exists(there)).get_result::<bool>(conn)? {
            conn.batch_execute(
                "CREATE TABLE items (
                    id BLOB PRIMARY KEY, org_id INTEGER NOT NULL, name TEXT NOT NULL, price INTEGER NOT NULL
                )",
            )?;
            conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Database::Sqlite))?;
        }
        anyhow::Ok(())
    })?;
    Ok(conn)
}
