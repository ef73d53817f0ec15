//! A model with a scope, on both databases.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::prelude::*;

use crate::setup::Bench;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    jobs (id) {
        id -> Uid,
        org_id -> Integer,
        name -> Text,
        done -> Bool,
    }
}

/// A job of an organisation.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = jobs)]
#[evented(scopes(org = org_id))]
pub(crate) struct Job {
    pub(crate) id: Id<Job>,
    pub(crate) org_id: i32,
    pub(crate) name: String,
    #[evented(skip_insert)]
    pub(crate) done: bool,
}

pub(crate) fn new(org_id: i32, name: impl Into<String>) -> NewJob {
    NewJob { org_id, name: name.into() }
}

pub(crate) fn renamed(name: impl Into<String>) -> JobChanges {
    JobChanges { name: Some(name.into()), ..Default::default() }
}

/// Creates a schema with the table and its log, and returns the URL of the schema.
pub(crate) fn postgres(bench: &Bench, schema: &str) -> anyhow::Result<String> {
    let url = bench.fresh(schema)?;
    let mut conn = PgConnection::establish(&url)?;
    let log = Migrations::new().log::<Job>().up_sql(Database::Postgres);
    conn.batch_execute(&format!(
        "CREATE TABLE jobs (id UUID PRIMARY KEY, org_id INTEGER NOT NULL, name TEXT NOT NULL, done BOOLEAN NOT NULL); {log}"
    ))?;
    Ok(url)
}

/// Creates a file with the table and its log, and returns its path.
pub(crate) fn sqlite(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("bench.db").to_string_lossy().into_owned();
    let mut conn = SqliteConnection::establish(&path)?;
    let log = Migrations::new().log::<Job>().up_sql(Database::Sqlite);
    conn.batch_execute(&format!(
        "PRAGMA journal_mode = WAL; \
         CREATE TABLE jobs (id BLOB PRIMARY KEY, org_id INTEGER NOT NULL, name TEXT NOT NULL, done BOOLEAN NOT NULL); {log}"
    ))?;
    Ok(path)
}
