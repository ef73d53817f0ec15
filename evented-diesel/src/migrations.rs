//! Creates the tables of logs: as migrations in your folder, as a migration source, or as plain SQL.
//!
//! ```no_run
//! # use evented_diesel::{migrations::Migrations, Model};
//! # fn each<Item: Model>() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "sqlite")] {
//! use evented_diesel::migrations::Database;
//!
//! let logs = Migrations::new().log::<Item>();
//! logs.write_to("migrations", Database::Sqlite)?;      // once, then `diesel migration run` as usual
//! logs.check("migrations", Database::Sqlite)?;         // in a test: the folder is current
//! # }
//! # Ok(()) }
//! ```

use std::fmt;
use std::path::PathBuf;

use diesel::connection::BoxableConnection;
use diesel::migration::{
    Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion, Result as MigrationResult,
};

use crate::domain::Bus;
use crate::error::Error;
use crate::model::{EventLog, LinkShape, Model};
use crate::sql::{LogName, SqlTypes};
use evented_core::KeyKind;
use table_set::Versioned;

mod bus_tables;
mod folder;
mod log_sql;
mod rights;
mod table_set;
mod upgrade;

pub use crate::sql::Database;
pub use folder::{FolderError, Stale};
pub use rights::Rights;
#[doc(hidden)]
pub use table_set::TableSet;
pub use upgrade::{CheckFormats, LogState, LogStatus};

/// The logs of an application's models.
///
/// Running it creates missing logs and upgrades logs of an older format version, in one transaction:
/// `Migrations::of::<Item>().run(&mut conn)?`. It returns the names of the executed steps. An application with a folder
/// of Diesel migrations calls [`write_to`](Self::write_to) instead.
///
/// # Errors
///
/// Running it: [`Error::LogFormat`] if a newer version of the library has created or upgraded a log;
/// [`Error::AmbiguousLog`] if tables of two schemas have one name, and their models one log.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Migrations {
    logs: Vec<LogShape>,
    sets: Vec<TableSet>,
    /// The tables of buses, which are among the sets.
    buses: Vec<&'static str>,
    /// The table of a log that is declared twice, with the two types.
    ambiguous: Option<(&'static str, &'static str, &'static str)>,
}

/// The properties of a log that its SQL depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogShape {
    pub(crate) name: LogName,
    pub(crate) key: KeyKind,
    pub(crate) shared: bool,
    pub(crate) hashed: bool,
    pub(crate) shards: &'static [LogName],
    pub(crate) links: &'static [LinkShape],
    /// The type of the log. Two tables of one name in two schemas have two.
    pub(crate) declared: &'static str,
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
            declared: std::any::type_name::<L>(),
        }
    }
}

impl Migrations {
    /// Creates a list without logs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a list with the log of a model. [`log`](Self::log) adds another one.
    pub fn of<M: Model>() -> Self {
        Self::new().log::<M>()
    }

    /// Adds the log of a model. A log that is in the list already is not added twice.
    pub fn log<M: Model>(self) -> Self {
        self.event_log::<M::Log>()
    }

    /// Adds a log that several models share. A log that is in the list already is not added twice.
    pub fn event_log<L: EventLog>(mut self) -> Self {
        let shape = LogShape::of::<L>();
        match self.logs.iter().find(|log| log.name == shape.name) {
            Some(log) if log.declared != shape.declared => {
                self.ambiguous.get_or_insert((log.name.table, log.declared, shape.declared));
            }
            Some(_) => {}
            None => self.logs.push(shape),
        }
        self
    }

    /// Adds the table of a bus of domain events, for example [`DomainEvents`](crate::DomainEvents).
    pub fn bus<B: Bus>(mut self) -> Self {
        if !self.buses.contains(&B::TABLE) {
            self.buses.push(B::TABLE);
        }
        self.tables(bus_tables::of::<B>())
    }

    /// Adds tables of another crate of the library.
    #[doc(hidden)]
    pub fn tables(mut self, set: TableSet) -> Self {
        if self.sets.iter().all(|known| known.name != set.name) {
            self.sets.push(set);
        }
        self
    }

    /// Checks that each log is declared once. Two models whose tables have one name, in two schemas, would write one log
    /// without sharing it.
    pub(crate) fn unambiguous(&self) -> Result<(), Error> {
        match self.ambiguous {
            Some((log, one, other)) => Err(Error::AmbiguousLog { log, declared: [one, other] }),
            None => Ok(()),
        }
    }

    /// Returns the SQL that creates the logs, to run it yourself: for example from async code, with `batch_execute`.
    #[must_use]
    pub fn up_sql(&self, database: Database) -> String {
        self.steps(database).into_iter().map(|step| step.up).collect::<Vec<_>>().join("\n")
    }

    /// Returns the SQL that drops the logs with all of their events.
    #[must_use]
    pub fn down_sql(&self, database: Database) -> String {
        self.steps(database).into_iter().rev().map(|step| step.down).collect::<Vec<_>>().join("\n")
    }

    /// Returns the rights on these logs that a role of PostgreSQL needs to run commands and to read, and no more: it may
    /// append events, but not choose their positions or their transactions.
    ///
    /// ```
    /// # use evented_diesel::migrations::Migrations;
    /// let sql = Migrations::new().rights("shop").sql();
    /// ```
    pub fn rights(&self, role: impl Into<String>) -> Rights {
        Rights { logs: self.logs.clone(), buses: self.buses.clone(), role: role.into(), checkpoints: false }
    }

    /// Writes the missing migrations into a folder of Diesel migrations, each as `<now>_<name>/up.sql` and `down.sql`.
    /// Returns the paths of the migrations that it wrote.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or written.
    pub fn write_to(
        &self,
        folder: impl Into<PathBuf>,
        database: Database,
    ) -> Result<Vec<PathBuf>, FolderError> {
        folder::write(self.steps(database), &folder.into())
    }

    /// Checks that a folder has the migrations of every log, as this version of the library writes them.
    ///
    /// # Errors
    ///
    /// [`Stale`] names the migrations that are missing or differ.
    pub fn check(&self, folder: impl Into<PathBuf>, database: Database) -> Result<(), Stale> {
        folder::check(self.steps(database), &folder.into())
    }
}

impl Migrations {
    /// Reads the status of these logs in a database: whether each log exists, and whether its format is that of this
    /// version of the library.
    pub fn status(self) -> CheckFormats {
        CheckFormats(self)
    }

    /// Returns the logs and the sets of tables, each with its steps.
    fn versioned(&self, database: Database) -> Vec<Versioned> {
        let logs = self.logs.iter().map(|log| Versioned::of_log(log, database));
        logs.chain(self.sets.iter().map(|set| Versioned::of_tables(set, database))).collect()
    }

    fn steps(&self, database: Database) -> Vec<log_sql::Step> {
        self.versioned(database).into_iter().flat_map(|tables| tables.steps).collect()
    }
}

/// Provides the migrations to `diesel_migrations`: `conn.run_pending_migrations(Migrations::new().log::<Item>())`.
impl<DB: SqlTypes> MigrationSource<DB> for Migrations {
    fn migrations(&self) -> MigrationResult<Vec<Box<dyn Migration<DB>>>> {
        self.unambiguous()?;
        let steps = self.steps(DB::DATABASE).into_iter();
        Ok(steps.map(|step| Box::new(LogMigration::new(step)) as Box<dyn Migration<DB>>).collect())
    }
}

struct LogMigration {
    up: String,
    down: String,
    name: Name,
}

impl LogMigration {
    fn new(step: log_sql::Step) -> Self {
        Self { up: step.up, down: step.down, name: Name(step.name) }
    }
}

impl<DB: SqlTypes> Migration<DB> for LogMigration {
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
