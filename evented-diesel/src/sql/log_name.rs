//! Names the table of a log.

use evented_core::StreamId;

/// The name of a log's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogName {
    /// Its PostgreSQL schema or its attached SQLite database; `None` leaves the choice to the search path.
    pub schema: Option<&'static str>,
    /// The table's name, without the schema.
    pub table: &'static str,
}

impl LogName {
    /// Returns the id of the stream of positions in this log.
    #[must_use]
    pub fn stream(self) -> StreamId {
        match self.schema {
            Some(schema) => StreamId::named(&format!("{schema}.{}", self.table)),
            None => StreamId::named(self.table),
        }
    }
}
