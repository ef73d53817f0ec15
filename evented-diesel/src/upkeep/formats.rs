//! The form of the logs in a database, and that of this version of the library.

use crate::backend::Dialect;
use crate::error::{Error, RecordName};
use crate::migrations::{FORMATS, Migrations, Step, log_steps};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{Number, format_of, table_exists};
use crate::steps::transaction::Transaction;

/// What a database has of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// The log's table.
    pub log: String,
    /// Its form.
    pub state: LogState,
}

/// The form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogState {
    /// It is the one that this version of the library writes.
    Current,
    /// There is no such log.
    Missing,
    /// It is older: [`Migrations::upgrade`], or the migrations of the folder, bring it up to date. The library works on it
    /// meanwhile, without what the newer form adds.
    Old {
        /// Its form.
        found: i32,
    },
    /// It is newer: a newer version of the library is wanted.
    Newer {
        /// Its form.
        found: i32,
    },
}

/// What a database has of the logs. See [`Migrations::status`].
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct Status(pub(crate) Migrations);

impl<DB: Dialect> Operation<DB> for Status {
    type Output = Vec<LogStatus>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<LogStatus>, Error> {
        let mut all = Vec::new();
        for log in self.0.shapes() {
            let found = format::<DB, D>(driver, log.name.schema, log.name.table).await?;
            let known = log_steps(log, DB::FLAVOUR).last().map_or(0, |step| step.format);
            let state = match found {
                0 => LogState::Missing,
                found if found == known => LogState::Current,
                found if found < known => LogState::Old { found },
                found => LogState::Newer { found },
            };
            all.push(LogStatus { log: log.name.table.to_owned(), state });
        }
        Ok(all)
    }
}

/// Makes the logs that are missing, and brings those of an older form to today's. See [`Migrations::upgrade`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Upgrade(pub(crate) Migrations);

impl<DB: Dialect> Operation<DB> for Upgrade {
    type Output = Vec<String>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<String>, Error> {
        let name = RecordName { schema: FORMATS, key: None };
        let transaction = Transaction::open(driver, &name).await?;
        let result = upgrade(driver, &self.0).await;
        transaction.close(driver, &name, result).await
    }
}

async fn upgrade<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    migrations: &Migrations,
) -> Result<Vec<String>, Error> {
    let mut done = Vec::new();
    for log in migrations.shapes() {
        let table = log.name.table;
        let found = format::<DB, D>(driver, log.name.schema, table).await?;
        let steps = log_steps(log, DB::FLAVOUR);
        let known = steps.last().map_or(0, |step| step.format);
        if found > known {
            return Err(Error::LogFormat { log: table, found, known });
        }
        for Step { name, up, .. } in steps.into_iter().filter(|step| step.format > found) {
            driver.batch(&up).await.map_err(|error| Error::of_log(table, error))?;
            done.push(name);
        }
    }
    Ok(done)
}

/// The form of a log; 0 if there is none. The first form had no table that said so.
async fn format<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    schema: Option<&'static str>,
    table: &'static str,
) -> Result<i32, Error> {
    let of = |error| Error::of_log(table, error);
    if !exists(driver, schema, table).await.map_err(of)? {
        return Ok(0);
    }
    if !exists(driver, schema, FORMATS).await.map_err(of)? {
        return Ok(1);
    }
    let rows = driver.load::<Number>(format_of(schema, FORMATS, table)).await.map_err(of)?;
    let format = rows.into_iter().next().and_then(|number| number.0).unwrap_or(1);
    Ok(i32::try_from(format).unwrap_or(i32::MAX))
}

async fn exists<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    schema: Option<&'static str>,
    table: &'static str,
) -> diesel::QueryResult<bool> {
    let rows = driver.load::<Number>(table_exists(schema, table)).await?;
    Ok(rows.into_iter().any(|number| number.0.is_some_and(|count| count > 0)))
}
