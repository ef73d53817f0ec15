//! Statements over a whole table of the user's.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::{Field, NamedRow, Row};
use evented_core::KeyValue;

use super::Statement;
use crate::backend::Dialect;
use crate::model::Rows;

/// The rows after one key, up to another, in the order of their keys.
pub(crate) fn rows_between<'q, DB: Dialect, M: Rows<DB>>(
    after: Option<&'q KeyValue>,
    to: Option<&'q KeyValue>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    statement.sql(if after.is_some() || to.is_some() { "" } else { "1 = 1" });
    if let Some(after) = after {
        statement.sql("t.").identifier(M::KEY_COLUMN).sql(" > ").value(after);
    }
    if let Some(to) = to {
        statement.sql(if after.is_some() { " AND t." } else { "t." });
        statement.identifier(M::KEY_COLUMN).sql(" <= ").value(to);
    }
    statement.sql(" ORDER BY t.").identifier(M::KEY_COLUMN).sql(" LIMIT ").value(limit);
    statement
}

/// The rows after a key of which the log has no event, in the order of their keys.
pub(crate) fn rows_without_events<'q, DB: Dialect, M: Rows<DB>>(
    after: Option<&'q KeyValue>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    if let Some(after) = after {
        statement.sql("t.").identifier(M::KEY_COLUMN).sql(" > ").value(after).sql(" AND ");
    }
    push_without_events::<DB, M>(&mut statement);
    statement.sql(" ORDER BY t.").identifier(M::KEY_COLUMN).sql(" LIMIT ").value(limit);
    statement.sql(DB::LOCK_ROWS);
    statement
}

/// How many rows have no event.
pub(crate) fn count_without_events<'q, DB: Dialect, M: Rows<DB>>() -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT count(*) FROM ");
    statement.table::<M>().sql(" t WHERE ");
    push_without_events::<DB, M>(&mut statement);
    statement
}

fn push_without_events<DB: Dialect, M: Rows<DB>>(statement: &mut Statement<'_, DB>) {
    let place = M::places();
    statement.sql("NOT EXISTS (SELECT 1 FROM ").log(place.table).sql(" e WHERE e.record_id = t.");
    statement.identifier(M::KEY_COLUMN).and_schema("e", place).sql(")");
}

/// One row that has every column of the model's table, all of them null.
pub(crate) fn column_names<'q, DB: Dialect, M: Rows<DB>>() -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT t.* FROM (SELECT 1 AS one) o LEFT JOIN ");
    statement.table::<M>().sql(" t ON 1 = 0");
    statement
}

/// The answer to [`column_names`].
#[derive(Debug)]
pub(crate) struct ColumnNames(pub(crate) Vec<String>);

impl<DB: Dialect> QueryableByName<DB> for ColumnNames {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let name = |index| Row::get(row, index)?.field_name().map(str::to_owned);
        Ok(Self((0..Row::field_count(row)).filter_map(name).collect()))
    }
}
