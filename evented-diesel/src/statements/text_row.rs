//! Reads results of one text.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;

use crate::sql::{SqlTypes, optional};

/// A result row of one text, or of a null.
#[derive(Debug)]
pub(crate) struct TextRow(pub(crate) Option<String>);

impl<DB: SqlTypes> QueryableByName<DB> for TextRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        optional(row, 0, DB::read_text).map(Self)
    }
}
