//! Tables, as the log describes them.

use std::fmt;

/// A table as it was when a change was written.
///
/// The log describes a table before its first change, and again after each change of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The table's number in the database.
    pub oid: u32,
    /// The schema that the table is in.
    pub schema: String,
    /// The table's name.
    pub table: String,
    /// What the log holds of a row before its change.
    pub identity: Identity,
    /// The table's columns that are published, in their order.
    pub columns: Vec<Column>,
}

impl Relation {
    /// Where in a [`Tuple`](super::Tuple) the column of this name is.
    #[must_use]
    pub fn index(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|it| it.name == column)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A column of a [`Relation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The number of its type in the database.
    pub type_oid: u32,
    /// What its type is narrowed to, as in `varchar(20)`; -1 if it is not.
    pub type_modifier: i32,
    /// Whether the column is a part of the table's [`Identity`]. With [`Identity::Full`] all of them are.
    pub key: bool,
}

/// What the log holds of a row before its change: the table's `REPLICA IDENTITY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nothing. PostgreSQL refuses to update and delete rows of such a table while it is published.
    Nothing,
    /// Its primary key; for an update only if the key changes. A table without one is as with [`Nothing`](Self::Nothing).
    Default,
    /// The columns of a unique index; for an update only if they change.
    Index,
    /// The whole row.
    Full,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "NOTHING",
            Self::Default => "DEFAULT",
            Self::Index => "USING INDEX",
            Self::Full => "FULL",
        })
    }
}
