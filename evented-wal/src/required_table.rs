//! What a reader requires of a table.

use crate::table_name::TableName;

/// A table that a reader requires, and what it requires of the table.
///
/// The table must exist, and the publication must contain it with all kinds of changes and without a row filter.
///
/// ```
/// use evented_wal::RequiredTable;
///
/// let orders = RequiredTable::new(("shop", "orders")).columns(["id", "amount"]).whole_old_rows();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RequiredTable {
    pub(crate) name: TableName,
    pub(crate) columns: Vec<String>,
    pub(crate) whole_old_rows: bool,
    pub(crate) if_published: bool,
}

impl RequiredTable {
    /// Requires this table.
    pub fn new(name: impl Into<TableName>) -> Self {
        Self { name: name.into(), columns: Vec::new(), whole_old_rows: false, if_published: false }
    }

    /// Requires that these columns are published.
    pub fn columns<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.columns.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Requires that the log holds whole rows before their change: `REPLICA IDENTITY FULL`.
    pub fn whole_old_rows(mut self) -> Self {
        self.whole_old_rows = true;
        self
    }

    /// Requires this only if the publication contains the table. The table need not exist then.
    pub fn if_published(mut self) -> Self {
        self.if_published = true;
        self
    }

    /// Whether the log must hold whole rows before their change.
    #[must_use]
    pub fn needs_whole_old_rows(&self) -> bool {
        self.whole_old_rows
    }

    /// Whether the table is required only if the publication contains it.
    #[must_use]
    pub fn is_if_published(&self) -> bool {
        self.if_published
    }

    /// The name of the table.
    #[must_use]
    pub fn name(&self) -> &TableName {
        &self.name
    }
}
