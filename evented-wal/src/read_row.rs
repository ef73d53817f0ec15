//! Reads rows of the log into types, with Diesel's conversions.

use std::cell::Cell as Once;
use std::num::NonZeroU32;
use std::ops::Range;

use diesel::deserialize::QueryableByName;
use diesel::pg::{Pg, PgValue};
use diesel::row::{Field, PartialRow, Row, RowIndex, RowSealed};

use crate::relation::{Column, Relation};
use crate::tuple::{Cell, Tuple};

/// Reads a row of any table into a type with `#[derive(QueryableByName)]`, by the names of the columns.
///
/// The tail must use [`Format::Binary`](super::Format), which is the default. Columns that the type does not have may
/// have any form, or be missing.
///
/// # Errors
///
/// A column that the type needs and that cannot be read: see [`ReadError`].
pub fn read<T: QueryableByName<Pg>>(relation: &Relation, tuple: &Tuple) -> Result<T, ReadError> {
    let row = TupleRow::new(relation, tuple, None);
    T::build(&row).map_err(|error| row.error(error))
}

/// The indices of some columns in the rows of a table. Create it once for each [`Relation`].
#[derive(Debug, Clone)]
pub struct ColumnMap(Vec<usize>);

impl ColumnMap {
    /// Looks up the columns by their names.
    ///
    /// # Errors
    ///
    /// [`ReadError::Missing`] if the table does not have one of the columns.
    pub fn new(relation: &Relation, columns: &[&str]) -> Result<Self, ReadError> {
        let index = |column: &&str| {
            relation.index(column).ok_or_else(|| ReadError::Missing {
                table: relation.to_string(),
                column: (*column).to_owned(),
            })
        };
        columns.iter().map(index).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a row of the relation that the map was created for. `read` receives the row with the mapped columns, in
    /// their order.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read<T>(
        &self,
        relation: &Relation,
        tuple: &Tuple,
        read: impl FnOnce(&TupleRow<'_>) -> diesel::deserialize::Result<T>,
    ) -> Result<T, ReadError> {
        let row = TupleRow::new(relation, tuple, Some(&self.0));
        read(&row).map_err(|error| row.error(error))
    }
}

/// Why a row of the log cannot be read into a type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The table has no such column, or the column is not published.
    #[error("`{table}` has no column `{column}` in the log")]
    Missing {
        /// The table's name.
        table: String,
        /// The column's name.
        column: String,
    },
    /// A large value that the update did not touch, and that the log therefore does not have.
    #[error(
        "`{table}.{column}` is a large value that the update did not touch: the log holds it only with \
         `ALTER TABLE {table} REPLICA IDENTITY FULL`"
    )]
    Unchanged {
        /// The table's name.
        table: String,
        /// The column's name.
        column: String,
    },
    /// A value that was sent as text: its type has no binary format, or the tail uses
    /// [`Format::Text`](super::Format).
    #[error("`{table}.{column}` was sent as text, and values are read from the binary format")]
    Text {
        /// The table's name.
        table: String,
        /// The column's name.
        column: String,
    },
    /// A value that does not convert to the type it is read into.
    #[error("a row of `{table}`: {error}")]
    Value {
        /// The table's name.
        table: String,
        /// The error that Diesel reported.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A row of the log that implements Diesel's `Row`.
pub struct TupleRow<'a> {
    relation: &'a Relation,
    tuple: &'a Tuple,
    /// The indices of the columns, if they are read in another order than the table's.
    map: Option<&'a [usize]>,
    /// The error of the first value that could not be read. Diesel itself would only report that there is no value.
    fault: Once<Option<ReadError>>,
}

impl<'a> TupleRow<'a> {
    fn new(relation: &'a Relation, tuple: &'a Tuple, map: Option<&'a [usize]>) -> Self {
        Self { relation, tuple, map, fault: Once::new(None) }
    }

    fn table(&self) -> String {
        self.relation.to_string()
    }

    fn error(&self, error: Box<dyn std::error::Error + Send + Sync>) -> ReadError {
        self.fault.take().unwrap_or_else(|| ReadError::Value { table: self.table(), error })
    }

    fn fault(&self, fault: ReadError) {
        let first = self.fault.take().unwrap_or(fault);
        self.fault.set(Some(first));
    }

    fn column(&self, index: usize) -> Option<(&Column, &Cell)> {
        let index_in_table = match self.map {
            Some(map) => *map.get(index)?,
            None => index,
        };
        Some((self.relation.columns.get(index_in_table)?, self.tuple.get(index_in_table)?))
    }
}

impl std::fmt::Debug for TupleRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TupleRow").field("relation", self.relation).finish_non_exhaustive()
    }
}

impl RowSealed for TupleRow<'_> {}

impl RowIndex<usize> for TupleRow<'_> {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < Row::<Pg>::field_count(self)).then_some(index)
    }
}

impl<'n> RowIndex<&'n str> for TupleRow<'_> {
    fn idx(&self, name: &'n str) -> Option<usize> {
        let index_in_table = self.relation.index(name);
        if index_in_table.is_none() {
            self.fault(ReadError::Missing { table: self.table(), column: name.to_owned() });
        }
        match self.map {
            Some(map) => map.iter().position(|it| Some(*it) == index_in_table),
            None => index_in_table,
        }
    }
}

impl<'r> Row<'r, Pg> for TupleRow<'_> {
    type Field<'f>
        = TupleField<'f>
    where
        'r: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.map.map_or(self.relation.columns.len(), <[usize]>::len)
    }

    fn get<'f, I>(&'f self, index: I) -> Option<Self::Field<'f>>
    where
        'r: 'f,
        Self: RowIndex<I>,
    {
        let (column, cell) = self.column(self.idx(index)?)?;
        let (table, name) = (|| self.table(), || column.name.clone());
        let value = match cell {
            Cell::Null => None,
            Cell::Binary(bytes) => Some(bytes.as_ref()),
            Cell::Unchanged => {
                self.fault(ReadError::Unchanged { table: table(), column: name() });
                return None;
            }
            Cell::Text(_) => {
                self.fault(ReadError::Text { table: table(), column: name() });
                return None;
            }
        };
        // 0 is not the oid of any type. Diesel uses the oid only to read values whose format depends on their type.
        let oid = NonZeroU32::new(column.type_oid).unwrap_or(NonZeroU32::MAX);
        Some(TupleField { name: &column.name, value, oid })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}

/// A value of the log that implements Diesel's `Field`.
#[derive(Debug)]
pub struct TupleField<'a> {
    name: &'a str,
    value: Option<&'a [u8]>,
    oid: NonZeroU32,
}

impl<'a> Field<'a, Pg> for TupleField<'a> {
    fn field_name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn value(&self) -> Option<PgValue<'_>> {
        Some(PgValue::new(self.value?, &self.oid))
    }
}
