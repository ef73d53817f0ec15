//! `migrations`: manages the tables of the logs, in a folder and in a database.

use std::path::PathBuf;

use serde::Serialize;

use crate::arguments::{DatabaseArgument, Migrations as Asked};
use crate::failure::Failure;
use evented_diesel::migrations::{Database, LogStatus, Migrations, Stale};
use evented_diesel::spi::{EventedBackend, Executor, Operation};

/// The result of a subcommand.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Done {
    /// `write`: the migrations it wrote.
    Written { written: Vec<PathBuf> },
    /// `check`: whether the folder is current, and if not, what is wrong.
    Checked { current: bool, reason: Option<String> },
    /// `print` and `rights`: the SQL.
    Printed { sql: String },
    /// `status`: the state of each log.
    Status { logs: Vec<LogStatus> },
    /// `upgrade`: the steps it took.
    Upgraded { steps: Vec<String> },
}

/// Runs a subcommand that needs no database; returns `None` for the others.
pub(crate) fn in_folder(
    migrations: &Migrations,
    asked: &Asked,
    default: Database,
) -> Option<Result<Done, Failure>> {
    let database_of = |database: &Option<DatabaseArgument>| database.map_or(default, Database::from);
    Some(match asked {
        Asked::Write { folder, database } => match migrations.write_to(folder, database_of(database)) {
            Ok(written) => Ok(Done::Written { written }),
            Err(error) => Err(Failure::new(error.to_string())),
        },
        Asked::Check { folder, database } => match migrations.check(folder, database_of(database)) {
            Ok(()) => Ok(Done::Checked { current: true, reason: None }),
            Err(Stale::Folder(error)) => Err(Failure::new(error.to_string())),
            Err(stale) => Ok(Done::Checked { current: false, reason: Some(stale.to_string()) }),
        },
        Asked::Print { database } => Ok(Done::Printed { sql: migrations.up_sql(database_of(database)) }),
        Asked::Rights { .. } if default == Database::Sqlite => {
            Err(Failure::new("SQLite has no roles: whoever can write the file can write everything in it"))
        }
        Asked::Rights { role, checkpoints } => {
            let rights = migrations.rights(role.as_str());
            let rights = if *checkpoints { rights.with_checkpoints() } else { rights };
            Ok(Done::Printed { sql: rights.sql() })
        }
        Asked::Status | Asked::Upgrade => return None,
    })
}

/// Reads the state of the logs in the database, or upgrades them.
pub(crate) async fn in_database<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    logs: Migrations,
    asked: &Asked,
) -> Result<Done, Failure> {
    Ok(match asked {
        Asked::Upgrade => Done::Upgraded { steps: logs.perform(executor).await? },
        _ => Done::Status { logs: logs.status().perform(executor).await? },
    })
}
