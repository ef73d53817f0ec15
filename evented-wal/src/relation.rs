//! Tables, as the log describes them.

use std::fmt;

/// A table as it was when a change was written.
///
/// The log describes a table before its first change, and again after each change of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The table's oid in the database.
    pub oid: u32,
    /// The schema that the table is in.
    pub schema: String,
    /// The table's name.
    pub table: String,
    /// The part of a row before its change that the log has.
    pub identity: Identity,
    /// The published columns of the table, in their order.
    pub columns: Vec<Column>,
}

impl Relation {
    /// The index of the column with this name in a [`Tuple`](super::Tuple); `None` if there is no such column.
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
    /// The column's name.
    pub name: String,
    /// The oid of the column's type.
    pub type_oid: u32,
    /// The modifier of the type, as in `varchar(20)`; -1 if there is none.
    pub type_modifier: i32,
    /// Whether the column is part of the table's [`Identity`]. With [`Identity::Full`] all columns are.
    pub key: bool,
}

/// The part of a row before its change that the log has: the table's `REPLICA IDENTITY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nothing. PostgreSQL refuses to update and delete rows of such a table while it is published.
    Nothing,
    /// The primary key; for an update only if the key changes. A table without a primary key behaves as with
    /// [`Nothing`](Self::Nothing).
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
