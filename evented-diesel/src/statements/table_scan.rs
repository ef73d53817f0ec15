//! Builds the statements over the user's whole table.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::{Field, NamedRow, Row};
use evented_core::KeyValue;

use crate::model::ModelOn;
use crate::sql::{SqlTypes, Statement};

/// Reads the rows after one key and up to another, in the order of their keys.
pub(crate) fn rows_between<'q, DB: SqlTypes, M: ModelOn<DB>>(
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

/// Reads the rows after a key that have no event in the log, in the order of their keys.
pub(crate) fn rows_without_events<'q, DB: SqlTypes, M: ModelOn<DB>>(
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
    statement.sql(DB::LOCK_ROWS_SQL);
    statement
}

/// Counts the rows that have no event.
pub(crate) fn count_without_events<'q, DB: SqlTypes, M: ModelOn<DB>>() -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT count(*) FROM ");
    statement.table::<M>().sql(" t WHERE ");
    push_without_events::<DB, M>(&mut statement);
    statement
}

fn push_without_events<DB: SqlTypes, M: ModelOn<DB>>(statement: &mut Statement<'_, DB>) {
    let table = M::whole_log();
    statement.sql("NOT EXISTS (SELECT 1 FROM ").log(table.name).sql(" e WHERE e.record_id = t.");
    statement.identifier(M::KEY_COLUMN).and_schema("e", table).sql(")");
}

/// Reads one row with every column of the model's table, all null, to get the column names.
pub(crate) fn column_names<'q, DB: SqlTypes, M: ModelOn<DB>>() -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT t.* FROM (SELECT 1 AS one) o LEFT JOIN ");
    statement.table::<M>().sql(" t ON 1 = 0");
    statement
}

/// The result of [`column_names`].
#[derive(Debug)]
pub(crate) struct ColumnNames(pub(crate) Vec<String>);

impl<DB: SqlTypes> QueryableByName<DB> for ColumnNames {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let name = |index| Row::get(row, index)?.field_name().map(str::to_owned);
        Ok(Self((0..Row::field_count(row)).filter_map(name).collect()))
    }
}
