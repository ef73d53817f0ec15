//! Tables that are created and upgraded in steps: those of a log, or those of another crate of the library.

use crate::migrations::LogShape;
use crate::migrations::log_sql::{self, FORMATS_TABLE, Step, formats_table, migration_name, text};
use crate::sql::Database;

/// Tables of another crate of the library, which [`Migrations`](super::Migrations) creates beside the logs.
#[derive(Debug, Clone, Copy)]
pub struct TableSet {
    /// The name of the first table, under which the format version is stored.
    pub name: &'static str,
    /// Returns the SQL that creates the tables, and the SQL that drops them.
    pub sql: fn(Database) -> (String, String),
}

/// The steps of one log or of one set of tables.
pub(super) struct Versioned {
    pub(super) schema: Option<&'static str>,
    pub(super) name: &'static str,
    pub(super) steps: Vec<Step>,
}

impl Versioned {
    pub(super) fn of_log(log: &LogShape, database: Database) -> Self {
        Self { schema: log.name.schema, name: log.name.table, steps: log_sql::steps(log, database) }
    }

    pub(super) fn of_tables(set: &TableSet, database: Database) -> Self {
        let (create, drop) = (set.sql)(database);
        let formats = formats_table(None, database);
        let name = text(set.name);
        let up = format!(
            "{create}{formats}\nINSERT INTO \"{FORMATS_TABLE}\" (\"log\", \"format\") VALUES ({name}, 1);\n"
        );
        let down = format!("DELETE FROM \"{FORMATS_TABLE}\" WHERE \"log\" = {name};\n{drop}");
        let step = Step { format: 1, name: migration_name(None, set.name, 1), up, down };
        Self { schema: None, name: set.name, steps: vec![step] }
    }

    /// Returns the format version that this version of the library writes.
    pub(super) fn known(&self) -> i32 {
        self.steps.last().map_or(0, |step| step.format)
    }
}
