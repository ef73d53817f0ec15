//! The tables of logs: as migrations in your folder, as a source of migrations, or as plain SQL.
//!
//! ```no_run
//! # use evented_diesel::{migrations::Migrations, Model};
//! # fn each<Item: Model>() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "sqlite")] {
//! use evented_diesel::migrations::Flavour;
//!
//! let logs = Migrations::new().log::<Item>();
//! logs.write_to("migrations", Flavour::Sqlite)?;      // once, then `diesel migration run` as usual
//! logs.check("migrations", Flavour::Sqlite)?;         // in a test: the folder is current
//! # }
//! # Ok(()) }
//! ```

use std::fmt;
use std::path::PathBuf;

use diesel::connection::BoxableConnection;
use diesel::migration::{
    Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion, Result as MigrationResult,
};

use crate::backend::Dialect;
use crate::log::{EventLog, LinkShape, LogName};
use crate::model::Model;
use crate::upkeep::{Status, Upgrade};
use evented_core::KeyKind;

mod folder;
mod sql;

pub(crate) use sql::{FORMATS, Step, steps as log_steps};

pub use folder::{FolderError, Stale};

/// For which database SQL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// The logs of an application's models.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Migrations {
    logs: Vec<LogShape>,
}

/// What the SQL of a log depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogShape {
    pub(crate) name: LogName,
    pub(crate) key: KeyKind,
    pub(crate) shared: bool,
    pub(crate) hashed: bool,
    pub(crate) shards: &'static [LogName],
    pub(crate) links: &'static [LinkShape],
}

impl LogShape {
    fn of<L: EventLog>() -> Self {
        Self {
            name: L::NAME,
            key: L::KEY,
            shared: L::SHARED,
            hashed: L::HASHED,
            shards: L::SHARDS,
            links: L::LINKS,
        }
    }
}

impl Migrations {
    /// No log yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the log of a model, once.
    pub fn log<M: Model>(self) -> Self {
        self.event_log::<M::Log>()
    }

    /// Adds a log that several models share, once.
    pub fn event_log<L: EventLog>(mut self) -> Self {
        let shape = LogShape::of::<L>();
        if !self.logs.contains(&shape) {
            self.logs.push(shape);
        }
        self
    }

    /// The SQL that makes the logs, for those who run it by themselves: from async code, say, with `batch_execute`.
    #[must_use]
    pub fn up_sql(&self, flavour: Flavour) -> String {
        let steps = self.logs.iter().flat_map(|log| sql::steps(log, flavour));
        steps.map(|step| step.up).collect::<Vec<_>>().join("\n")
    }

    /// The SQL that drops the logs, with every event in them.
    #[must_use]
    pub fn down_sql(&self, flavour: Flavour) -> String {
        let steps = self.logs.iter().rev().flat_map(|log| sql::steps(log, flavour).into_iter().rev());
        steps.map(|step| step.down).collect::<Vec<_>>().join("\n")
    }

    /// Writes the migrations that are missing into a folder of Diesel migrations, each as `<now>_<name>/up.sql` and
    /// `down.sql`, and gives the paths of those it wrote.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or written.
    pub fn write_to(
        &self,
        folder: impl Into<PathBuf>,
        flavour: Flavour,
    ) -> Result<Vec<PathBuf>, FolderError> {
        folder::write(&self.logs, &folder.into(), flavour)
    }

    /// Whether a folder has the migration of every log, as this version of the library writes it.
    ///
    /// # Errors
    ///
    /// [`Stale`] names the migrations that are missing or differ.
    pub fn check(&self, folder: impl Into<PathBuf>, flavour: Flavour) -> Result<(), Stale> {
        folder::check(&self.logs, &folder.into(), flavour)
    }
}

impl Migrations {
    /// What a database has of these logs: whether each is there, and in the form of this version of the library.
    pub fn status(self) -> Status {
        Status(self)
    }

    /// Makes the logs that are missing, and brings those of an older form to today's, in one transaction; gives the names
    /// of the steps it took. For programs that look after their tables by themselves: where a folder of migrations does,
    /// [`write_to`](Self::write_to) writes the steps there.
    ///
    /// # Errors
    ///
    /// Running it: [`Error::LogFormat`](crate::Error::LogFormat) if a newer version of the library has been here.
    pub fn upgrade(self) -> Upgrade {
        Upgrade(self)
    }

    pub(crate) fn shapes(&self) -> &[LogShape] {
        &self.logs
    }
}

/// With `diesel_migrations`: `conn.run_pending_migrations(Migrations::new().log::<Item>())`.
impl<DB: Dialect> MigrationSource<DB> for Migrations {
    fn migrations(&self) -> MigrationResult<Vec<Box<dyn Migration<DB>>>> {
        let steps = self.logs.iter().flat_map(|log| sql::steps(log, DB::FLAVOUR));
        Ok(steps.map(|step| Box::new(LogMigration::new(step)) as Box<dyn Migration<DB>>).collect())
    }
}

struct LogMigration {
    up: String,
    down: String,
    name: Name,
}

impl LogMigration {
    fn new(step: sql::Step) -> Self {
        Self { up: step.up, down: step.down, name: Name(step.name) }
    }
}

impl<DB: Dialect> Migration<DB> for LogMigration {
    fn run(&self, conn: &mut dyn BoxableConnection<DB>) -> MigrationResult<()> {
        Ok(conn.batch_execute(&self.up)?)
    }
    fn revert(&self, conn: &mut dyn BoxableConnection<DB>) -> MigrationResult<()> {
        Ok(conn.batch_execute(&self.down)?)
    }
    fn metadata(&self) -> &dyn MigrationMetadata {
        &InTransaction
    }
    fn name(&self) -> &dyn MigrationName {
        &self.name
    }
}

struct InTransaction;
impl MigrationMetadata for InTransaction {}

#[derive(Debug)]
struct Name(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl MigrationName for Name {
    fn version(&self) -> MigrationVersion<'_> {
        MigrationVersion::from(self.0.as_str())
    }
}
