//! The database of a run, with fresh tables.

use std::env;

use anyhow::{Context, Result, ensure};
use diesel::connection::{LoadConnection, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use evented_diesel::Dialect;
use evented_diesel::migrations::{Flavour, Migrations};
use tempfile::TempDir;

use crate::model::{File, files};

/// A connection to either database.
///
/// What is evented needs no more than `LoadConnection`. A query of one's own does: Diesel checks it for each backend.
pub(crate) trait Database: LoadConnection<Backend: Dialect> + Send {
    /// The rows of the table as they are.
    fn rows(&mut self) -> QueryResult<Vec<File>>;
}

impl Database for PgConnection {
    fn rows(&mut self) -> QueryResult<Vec<File>> {
        files::table.select(File::as_select()).load(self)
    }
}

impl Database for SqliteConnection {
    fn rows(&mut self) -> QueryResult<Vec<File>> {
        files::table.select(File::as_select()).load(self)
    }
}

/// The database that the environment names.
#[derive(Debug)]
pub(crate) enum Choice {
    /// A server.
    Postgres(String),
    /// A file, which goes with its folder if that is a temporary one.
    Sqlite(String, Option<TempDir>),
}

impl Choice {
    /// What `DATABASE_URL` says; without it, a temporary file of SQLite.
    pub(crate) fn from_env() -> Result<Self> {
        match env::var("DATABASE_URL") {
            Ok(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Self::Postgres(url))
            }
            Ok(url) => Ok(Self::Sqlite(url.strip_prefix("sqlite://").unwrap_or(&url).to_owned(), None)),
            Err(env::VarError::NotPresent) => {
                let folder = tempfile::tempdir()?;
                let file = folder.path().join("git_history.db");
                let file = file.into_os_string().into_string().ok().context("TMPDIR is not UTF-8")?;
                Ok(Self::Sqlite(file, Some(folder)))
            }
            Err(error) => Err(error).context("DATABASE_URL"),
        }
    }
}

/// A server, in a schema of this program's own, which is made anew.
pub(crate) fn postgres(url: &str) -> Result<PgConnection> {
    let mut conn = PgConnection::establish(url)?;
    conn.batch_execute(
        "SET client_min_messages TO warning;
         DROP SCHEMA IF EXISTS git_history CASCADE;
         CREATE SCHEMA git_history;
         SET search_path TO git_history;",
    )?;
    conn.batch_execute(&tables(Flavour::Postgres))?;
    Ok(conn)
}

/// Marks a file as this program's: SQLite has a place for that in each file.
const APPLICATION: i32 = 0x6576_6768;

/// A file of this program's own, whose tables are made anew.
pub(crate) fn sqlite(file: &str) -> Result<SqliteConnection> {
    let mut conn = SqliteConnection::establish(file).with_context(|| format!("cannot open {file}"))?;
    let foreign = format!(
        "SELECT (SELECT count(*) FROM sqlite_master) * (application_id <> {APPLICATION}) AS number
         FROM pragma_application_id"
    );
    let foreign = diesel::sql_query(foreign).get_result::<Number>(&mut conn)?.number;
    ensure!(foreign == 0, "{file} holds tables of something else: give DATABASE_URL a file of its own");
    // Memory enough for the indexes of a large log; the log is written ahead, so that a commit is one write.
    conn.batch_execute(&format!(
        "PRAGMA application_id = {APPLICATION};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -262144;
         DROP TABLE IF EXISTS files;
         DROP TABLE IF EXISTS files_events;"
    ))?;
    conn.batch_execute(&tables(Flavour::Sqlite))?;
    Ok(conn)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Both tables. No index on the path: PostgreSQL has none for values of more than 2,704 bytes, and git has longer
/// paths.
fn tables(flavour: Flavour) -> String {
    let (uuid, bytes) = match flavour {
        Flavour::Postgres => ("UUID", "BYTEA"),
        Flavour::Sqlite => ("BLOB", "BLOB"),
    };
    let log = Migrations::new().log::<File>().up_sql(flavour);
    format!(
        "CREATE TABLE files (
            id {uuid} PRIMARY KEY, path {bytes} NOT NULL, mode TEXT NOT NULL, object TEXT NOT NULL,
            revision BIGINT NOT NULL
        );
        {log}"
    )
}
