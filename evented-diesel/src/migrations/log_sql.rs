//! Builds the SQL of a log's tables, in steps. Each new format version of a log is a migration of its own, and
//! published steps never change.

use std::fmt::Write as _;

use crate::migrations::LogShape;
use crate::sql::{Database, LogName, fitted, fitted_to};

mod append_only;
mod checkpoint_tables;
mod column_types;
mod event_tables;
mod link_tables;

use column_types::ColumnTypes;

/// The width, in bytes, of the column in which Diesel stores migration versions.
const VERSION_WIDTH: usize = 50;
/// The name of the table that contains the format version of each log in a schema.
pub(crate) const FORMATS_TABLE: &str = "evented_logs";

/// One change of a log's format.
pub(crate) struct Step {
    /// The format version after the step.
    pub(crate) format: i32,
    /// The migration's name.
    pub(crate) name: String,
    pub(crate) up: String,
    pub(crate) down: String,
}

/// Returns all steps to the current format version.
pub(crate) fn steps(log: &LogShape, database: Database) -> Vec<Step> {
    let step = |format, up, down| Step {
        format,
        name: migration_name(log.name.schema, log.name.table, format),
        up,
        down,
    };
    vec![step(1, create(log, database), drop(log, database))]
}

/// Returns the name of a migration, which is also its version. It never changes, and is unique for each log and step.
pub(super) fn migration_name(schema: Option<&str>, table: &str, format: i32) -> String {
    let table = match schema {
        Some(schema) => format!("{schema}_{table}"),
        None => table.to_owned(),
    };
    fitted_to(format!("evented{format}_{table}"), VERSION_WIDTH)
}

/// Creates the tables and their indexes, and protects them against changes.
fn create(log: &LogShape, database: Database) -> String {
    let mut sql = event_tables::create(log, database);
    if log.hashed {
        sql.push_str(&checkpoint_tables::create(log, database));
    }
    sql.push_str(&append_only::create(log, database));
    let formats = qualified(log.name.schema, FORMATS_TABLE);
    writeln!(
        sql,
        "{}\nINSERT INTO {formats} (\"log\", \"format\") VALUES ({}, 1);",
        formats_table(log.name.schema, database),
        text(log.name.table)
    )
    .unwrap_or_default();
    sql
}

/// Creates the table of format versions, unless it exists.
pub(crate) fn formats_table(schema: Option<&str>, database: Database) -> String {
    let (formats, strict) = (qualified(schema, FORMATS_TABLE), ColumnTypes::of(database).strict);
    format!(
        "CREATE TABLE IF NOT EXISTS {formats} (\"log\" TEXT NOT NULL PRIMARY KEY, \"format\" INTEGER NOT NULL){strict};"
    )
}

/// Drops the tables with all of their events.
fn drop(log: &LogShape, database: Database) -> String {
    let formats = qualified(log.name.schema, FORMATS_TABLE);
    let mut sql = format!("DELETE FROM {formats} WHERE \"log\" = {};\n", text(log.name.table));
    sql.push_str(&append_only::drop_triggers(log, database));
    if log.hashed {
        sql.push_str(&checkpoint_tables::drop(log));
    }
    sql.push_str(&event_tables::drop(log, database));
    sql.push_str(&append_only::drop_function(log, database));
    sql
}

/// Returns how an index statement names its table, and a function that returns the name of an index. An index lives in
/// the schema of its table: PostgreSQL takes the schema from the table's name, SQLite from the index's name.
fn indexes(name: LogName, database: Database) -> (String, impl Fn(&str) -> String) {
    let (indexed, schema) = match (database, name.schema) {
        (Database::Sqlite, Some(schema)) => (quoted(name.table), format!("{}.", quoted(schema))),
        _ => (qualified(name.schema, name.table), String::new()),
    };
    let index = move |purpose: &str| format!("{schema}{}", quoted(&beside(name.table, purpose)));
    (indexed, index)
}

/// Returns the name of an object that belongs to a table: `items_events_id_key`.
pub(crate) fn beside(table: &str, purpose: &str) -> String {
    fitted(format!("{table}_{purpose}"))
}

pub(crate) fn qualified(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(name)),
        None => quoted(name),
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
