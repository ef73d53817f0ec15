//! `migrations`: the tables of the logs, in a folder and in a database.

use std::path::PathBuf;

use serde::Serialize;

use crate::backend::Dialect;
use crate::cli::arguments::Migrations as Asked;
use crate::cli::failure::Failure;
use crate::migrations::{Flavour, Migrations, Stale};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::upkeep::LogState;

/// What a subcommand has come to.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::cli) enum Done {
    /// `write`: the migrations it wrote.
    Written { written: Vec<PathBuf> },
    /// `check`: whether the folder is current, and if not, what is wrong.
    Checked { current: bool, reason: Option<String> },
    /// `print`.
    Printed { sql: String },
    /// `status`.
    Status { logs: Vec<Log> },
    /// `upgrade`: the steps it took.
    Upgraded { steps: Vec<String> },
}

/// What the database has of a log.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Log {
    pub(in crate::cli) log: String,
    pub(in crate::cli) state: Form,
    /// Its form, if it is not that of this version.
    pub(in crate::cli) form: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Form {
    Current,
    Missing,
    Old,
    Newer,
}

/// What needs no database; `None` for the others.
pub(in crate::cli) fn in_folder(
    migrations: &Migrations,
    asked: &Asked,
    default: Flavour,
) -> Option<Result<Done, Failure>> {
    let flavour =
        |database: &Option<crate::cli::arguments::Database>| database.map_or(default, Flavour::from);
    Some(match asked {
        Asked::Write { folder, database } => match migrations.write_to(folder, flavour(database)) {
            Ok(written) => Ok(Done::Written { written }),
            Err(error) => Err(Failure::new(error.to_string())),
        },
        Asked::Check { folder, database } => match migrations.check(folder, flavour(database)) {
            Ok(()) => Ok(Done::Checked { current: true, reason: None }),
            Err(Stale::Folder(error)) => Err(Failure::new(error.to_string())),
            Err(stale) => Ok(Done::Checked { current: false, reason: Some(stale.to_string()) }),
        },
        Asked::Print { database } => Ok(Done::Printed { sql: migrations.up_sql(flavour(database)) }),
        Asked::Status | Asked::Upgrade => return None,
    })
}

pub(in crate::cli) async fn status<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    migrations: Migrations,
) -> Result<Done, Failure> {
    let logs = migrations.status().perform(driver).await?;
    let logs = logs.into_iter().map(|status| {
        let (state, form) = match status.state {
            LogState::Current => (Form::Current, None),
            LogState::Missing => (Form::Missing, None),
            LogState::Old { found } => (Form::Old, Some(found)),
            LogState::Newer { found } => (Form::Newer, Some(found)),
        };
        Log { log: status.log, state, form }
    });
    Ok(Done::Status { logs: logs.collect() })
}

pub(in crate::cli) async fn upgrade<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    migrations: Migrations,
) -> Result<Done, Failure> {
    Ok(Done::Upgraded { steps: migrations.upgrade().perform(driver).await? })
}
