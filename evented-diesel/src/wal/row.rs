//! Rows of the log, read into types by Diesel.

use std::cell::Cell as Once;
use std::num::NonZeroU32;
use std::ops::Range;

use diesel::deserialize::QueryableByName;
use diesel::pg::{Pg, PgValue};
use diesel::row::{Field, PartialRow, Row, RowIndex, RowSealed};

use super::{Cell, Column, Relation, Tuple};
use crate::model::Rows;

/// Reads a row of any table into a type with `#[derive(QueryableByName)]`, by the names of the columns.
///
/// The tail must give [`Format::Binary`](super::Format), which is the default. Columns that the type does not have may be
/// of any form, or missing.
///
/// # Errors
///
/// A column that the type wants and that cannot be had: see [`ReadError`].
pub fn read<T: QueryableByName<Pg>>(relation: &Relation, tuple: &Tuple) -> Result<T, ReadError> {
    let row = TupleRow::new(relation, tuple, None);
    T::build(&row).map_err(|error| row.error(error))
}

/// Where the columns of an evented model are in the rows of a table. Made once for each [`Relation`].
#[derive(Debug, Clone)]
pub struct Places(Vec<usize>);

impl Places {
    /// Looks them up.
    ///
    /// # Errors
    ///
    /// [`ReadError::Missing`], if the table lacks one of them.
    pub fn of<M: Rows<Pg>>(relation: &Relation) -> Result<Self, ReadError> {
        let place = |column: &&'static str| {
            relation.index(column).ok_or_else(|| ReadError::Missing {
                table: relation.to_string(),
                column: (*column).to_owned(),
            })
        };
        M::COLUMNS.iter().map(place).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a row of the relation that they were made for into the model that they were made for.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read<M: Rows<Pg>>(&self, relation: &Relation, tuple: &Tuple) -> Result<M, ReadError> {
        let row = TupleRow::new(relation, tuple, Some(&self.0));
        M::read(&row, 0).map_err(|error| row.error(error))
    }
}

/// Why a row of the log cannot be read into a type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The table has no such column, or it is not published.
    #[error("`{table}` has no column `{column}` in the log")]
    Missing {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A large value that the update did not touch, and that the log does not hold.
    #[error(
        "`{table}.{column}` is a large value that the update did not touch: the log holds it only with \
         `ALTER TABLE {table} REPLICA IDENTITY FULL`"
    )]
    Unchanged {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A value that came as text: its type has no binary form, or the tail gives text.
    #[error("`{table}.{column}` came as text, and types are read from the binary form")]
    Text {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A value that is none of the type it is read into.
    #[error("a row of `{table}`: {source}")]
    Value {
        /// The table.
        table: String,
        /// What Diesel says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A row as Diesel sees it.
pub(super) struct TupleRow<'a> {
    relation: &'a Relation,
    tuple: &'a Tuple,
    /// The places of the columns, where they are asked for by another order than the table's.
    places: Option<&'a [usize]>,
    /// The first value that could not be had. Diesel would only say that there is none.
    fault: Once<Option<ReadError>>,
}

impl<'a> TupleRow<'a> {
    fn new(relation: &'a Relation, tuple: &'a Tuple, places: Option<&'a [usize]>) -> Self {
        Self { relation, tuple, places, fault: Once::new(None) }
    }

    fn table(&self) -> String {
        self.relation.to_string()
    }

    fn error(&self, source: Box<dyn std::error::Error + Send + Sync>) -> ReadError {
        self.fault.take().unwrap_or_else(|| ReadError::Value { table: self.table(), source })
    }

    fn fault(&self, fault: ReadError) {
        let first = self.fault.take().unwrap_or(fault);
        self.fault.set(Some(first));
    }

    fn column(&self, index: usize) -> Option<(&Column, &Cell)> {
        let place = match self.places {
            Some(places) => *places.get(index)?,
            None => index,
        };
        Some((self.relation.columns.get(place)?, self.tuple.get(place)?))
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
        let place = self.relation.index(name);
        if place.is_none() {
            self.fault(ReadError::Missing { table: self.table(), column: name.to_owned() });
        }
        match self.places {
            Some(places) => places.iter().position(|it| Some(*it) == place),
            None => place,
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
        self.places.map_or(self.relation.columns.len(), <[usize]>::len)
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
        // No type has the number 0. Diesel asks for it only to read values whose form tells their type.
        let oid = NonZeroU32::new(column.type_oid).unwrap_or(NonZeroU32::MAX);
        Some(TupleField { name: &column.name, value, oid })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}

/// A value as Diesel sees it.
pub(super) struct TupleField<'a> {
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
