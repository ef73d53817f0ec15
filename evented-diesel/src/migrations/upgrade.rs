//! Compares the format version of the logs in a database with that of this version of the library, and upgrades logs.

use serde::Serialize;

use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, sealed};
use crate::migrations::Migrations;
use crate::migrations::log_sql::{FORMATS_TABLE, Step, formats_table};
use crate::migrations::table_set::Versioned;
use crate::sql::{Database, SqlTypes};
use crate::statements::{Number, format_of, lock_upgrades, table_exists, touch_formats};

/// The status of a log in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogStatus {
    /// The name of the log's table.
    pub log: String,
    /// The state of the log's format.
    #[serde(flatten)]
    pub state: LogState,
}

/// The state of a log's format, compared with the format that this version of the library writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogState {
    /// The format is the one that this version of the library writes.
    Current,
    /// The log does not exist.
    Missing,
    /// The format is older. Running [`Migrations`], or the migrations of the folder, upgrades it. Until then the
    /// library works on the log, without the features of the newer format.
    Older {
        /// The format of the log in the database.
        found: i32,
    },
    /// The format is newer, and requires a newer version of the library.
    Newer {
        /// The format of the log in the database.
        found: i32,
    },
}

/// Reads the status of the logs in a database. See [`Migrations::status`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct CheckFormats(pub(crate) Migrations);

impl sealed::Operation for CheckFormats {}

impl<DB: SqlTypes> Operation<DB> for CheckFormats {
    type Output = Vec<LogStatus>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<LogStatus>, Error> {
        self.0.unambiguous()?;
        let mut all = Vec::new();
        for tables in self.0.versioned(DB::DATABASE) {
            let found = format::<DB, D>(executor, tables.schema, tables.name).await?;
            let known = tables.known();
            let state = match found {
                0 => LogState::Missing,
                found if found == known => LogState::Current,
                found if found < known => LogState::Older { found },
                found => LogState::Newer { found },
            };
            all.push(LogStatus { log: tables.name.to_owned(), state });
        }
        Ok(all)
    }
}

impl sealed::Operation for Migrations {}

/// Creates missing logs, and upgrades logs of an older format version.
impl<DB: SqlTypes> Operation<DB> for Migrations {
    type Output = Vec<String>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Vec<String>, Error> {
        self.unambiguous()?;
        let name = Subject::Model(FORMATS_TABLE);
        let transaction = Transaction::open(executor, &name).await?;
        let result = upgrade(executor, &self).await;
        transaction.close(executor, &name, result).await
    }
}

async fn upgrade<DB: SqlTypes, D: Executor<DB>>(
    executor: &mut D,
    migrations: &Migrations,
) -> Result<Vec<String>, Error> {
    let mut done = Vec::new();
    let versioned = migrations.versioned(DB::DATABASE);
    lock(executor, &versioned).await?;
    for tables in versioned {
        let (table, known) = (tables.name, tables.known());
        let found = format::<DB, D>(executor, tables.schema, table).await?;
        if found > known {
            return Err(Error::LogFormat { log: table, found, known });
        }
        for Step { name, up, .. } in tables.steps.into_iter().filter(|step| step.format > found) {
            executor.batch(&up).await.map_err(|error| Error::of_log(table, error))?;
            done.push(name);
        }
    }
    Ok(done)
}

/// Waits until no other program upgrades logs in this database. What is read after that is what the other one left.
async fn lock<DB: SqlTypes, D: Executor<DB>>(executor: &mut D, versioned: &[Versioned]) -> Result<(), Error> {
    let failed = |error| Error::database(Subject::Model(FORMATS_TABLE), error);
    match DB::DATABASE {
        Database::Postgres => {
            executor.execute(lock_upgrades::<DB>()).await.map_err(failed)?;
        }
        Database::Sqlite => {
            // A write takes the lock of the database, and must come before any read: a transaction that has read cannot
            // wait for another writer.
            for tables in versioned.iter().take(1) {
                if executor.execute(touch_formats::<DB>(tables.schema, FORMATS_TABLE)).await.is_err() {
                    let create = formats_table(tables.schema, DB::DATABASE);
                    executor.batch(&create).await.map_err(failed)?;
                }
            }
        }
    }
    Ok(())
}

/// Reads the format version of a log; 0 if the log does not exist. Version 1 had no table of format versions.
async fn format<DB: SqlTypes, D: Executor<DB>>(
    executor: &mut D,
    schema: Option<&'static str>,
    table: &'static str,
) -> Result<i32, Error> {
    let of = |error| Error::of_log(table, error);
    if !exists(executor, schema, table).await.map_err(of)? {
        return Ok(0);
    }
    if !exists(executor, schema, FORMATS_TABLE).await.map_err(of)? {
        return Ok(1);
    }
    let rows = executor.load::<Number>(format_of(schema, FORMATS_TABLE, table)).await.map_err(of)?;
    let format = rows.into_iter().next().and_then(|number| number.0).unwrap_or(1);
    Ok(i32::try_from(format).unwrap_or(i32::MAX))
}

async fn exists<DB: SqlTypes, D: Executor<DB>>(
    executor: &mut D,
    schema: Option<&'static str>,
    table: &'static str,
) -> diesel::QueryResult<bool> {
    let rows = executor.load::<Number>(table_exists(schema, table)).await?;
    Ok(rows.into_iter().any(|number| number.0.is_some_and(|count| count > 0)))
}
