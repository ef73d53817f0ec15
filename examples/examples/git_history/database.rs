//! Opens the database of a run, with new tables.

use std::env;

use anyhow::{Context, Result, ensure};
use diesel::connection::{LoadConnection, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use evented_diesel::EventedBackend;
use evented_diesel::migrations::{Database, Migrations};
use tempfile::TempDir;

use crate::model::{File, files};

/// A connection to either database.
///
/// The library needs only `LoadConnection`. A hand-written query needs more: Diesel checks it for each backend.
pub(crate) trait Client: LoadConnection<Backend: EventedBackend> + Send {
    /// Reads the present rows of the table.
    fn rows(&mut self) -> QueryResult<Vec<File>>;
}

impl Client for PgConnection {
    fn rows(&mut self) -> QueryResult<Vec<File>> {
        files::table.select(File::as_select()).load(self)
    }
}

impl Client for SqliteConnection {
    fn rows(&mut self) -> QueryResult<Vec<File>> {
        files::table.select(File::as_select()).load(self)
    }
}

/// The database that the environment selects.
#[derive(Debug)]
pub(crate) enum Choice {
    /// The URL of a PostgreSQL server.
    Postgres(String),
    /// An SQLite file, and its temporary folder, if any, which is removed on drop.
    Sqlite(String, Option<TempDir>),
}

impl Choice {
    /// Reads `DATABASE_URL`. Default: a temporary SQLite file.
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

/// Opens a server, and creates this program's schema from scratch.
pub(crate) fn postgres(url: &str) -> Result<PgConnection> {
    let mut conn = PgConnection::establish(url)?;
    conn.batch_execute(
        "SET client_min_messages TO warning;
         DROP SCHEMA IF EXISTS git_history CASCADE;
         CREATE SCHEMA git_history;
         SET search_path TO git_history;",
    )?;
    conn.batch_execute(&tables(Database::Postgres))?;
    Ok(conn)
}

/// The SQLite `application_id` that marks a file as this program's.
const APPLICATION: i32 = 0x6576_6768;

/// Opens a file of this program, and creates its tables from scratch.
pub(crate) fn sqlite(file: &str) -> Result<SqliteConnection> {
    let mut conn = SqliteConnection::establish(file).with_context(|| format!("cannot open {file}"))?;
    let foreign = format!(
        "SELECT (SELECT count(*) FROM sqlite_master) * (application_id <> {APPLICATION}) AS number
         FROM pragma_application_id"
    );
    let foreign = diesel::sql_query(foreign).get_result::<Number>(&mut conn)?.number;
    ensure!(foreign == 0, "{file} holds tables of something else: give DATABASE_URL a file of its own");
    // Enough memory for the indexes of a large log, and WAL mode, so that a commit is one write.
    conn.batch_execute(&format!(
        "PRAGMA application_id = {APPLICATION};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -262144;
         DROP TABLE IF EXISTS files;
         DROP TABLE IF EXISTS files_events;"
    ))?;
    conn.batch_execute(&tables(Database::Sqlite))?;
    Ok(conn)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Returns the SQL of both tables. The path has no index: PostgreSQL cannot index values of more than 2,704 bytes, and
/// git has longer paths.
fn tables(database: Database) -> String {
    let (uuid, bytes) = match database {
        Database::Postgres => ("UUID", "BYTEA"),
        Database::Sqlite => ("BLOB", "BLOB"),
    };
    let log = Migrations::new().log::<File>().up_sql(database);
    format!(
        "CREATE TABLE files (
            id {uuid} PRIMARY KEY, path {bytes} NOT NULL, mode TEXT NOT NULL, object TEXT NOT NULL,
            revision BIGINT NOT NULL
        );
        {log}"
    )
}
