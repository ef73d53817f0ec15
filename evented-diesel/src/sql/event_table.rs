//! Describes the table that holds a record's events.

use crate::sql::log_name::LogName;

/// The table of a record's events and the properties of its log that statements depend on.
#[derive(Debug, Clone, Copy)]
pub struct EventTable {
    /// The name of the table.
    pub name: LogName,
    /// The model's name in the log, if several models share the table; `None` otherwise.
    pub schema: Option<&'static str>,
    /// Whether the log chains its events by hashes.
    pub hashed: bool,
    /// All tables of the log if it has shards; empty otherwise.
    pub shards: &'static [LogName],
}
