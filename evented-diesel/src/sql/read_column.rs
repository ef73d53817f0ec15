//! Reads a column of a result row by its index.

use diesel::backend::Backend;
use diesel::deserialize;
use diesel::row::{Field, Row};

/// Reads a column that is never null.
pub(crate) fn field<'a, DB: Backend, T>(
    row: &impl Row<'a, DB>,
    index: usize,
    read: impl FnOnce(Option<DB::RawValue<'_>>) -> deserialize::Result<T>,
) -> deserialize::Result<T> {
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    read(field.value())
}

/// Reads a column that may be null.
pub fn optional<'a, DB: Backend, T>(
    row: &impl Row<'a, DB>,
    index: usize,
    read: impl FnOnce(Option<DB::RawValue<'_>>) -> deserialize::Result<T>,
) -> deserialize::Result<Option<T>> {
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    if field.is_null() { Ok(None) } else { read(field.value()).map(Some) }
}
