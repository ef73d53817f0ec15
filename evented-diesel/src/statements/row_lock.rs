//! Defines how strongly a write locks rows.

use crate::sql::Database;

/// How strongly rows are locked until the end of the transaction. On SQLite, a writer locks the whole database instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLock {
    /// Other writers of the row wait. Rows that refer to it by a foreign key can be inserted.
    Change,
    /// Those inserts wait as well: they would lose the row that they refer to.
    Delete,
}

impl RowLock {
    /// Returns the clause of a `SELECT`.
    pub(crate) fn sql(self, database: Database) -> &'static str {
        match (database, self) {
            (Database::Sqlite, _) => "",
            (Database::Postgres, Self::Change) => " FOR NO KEY UPDATE",
            (Database::Postgres, Self::Delete) => " FOR UPDATE",
        }
    }
}
