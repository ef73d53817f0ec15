//! Builds the statements over the user's whole table.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::{Field, NamedRow, Row};
use evented_core::KeyValue;

use crate::model::ModelOn;
use crate::sql::{SqlTypes, Statement};
use crate::statements::key_columns::{push_is_after, push_key_columns, push_record_of};

/// How many rows without events a reader expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlogged {
    /// Few: the rows and the log are joined.
    Few,
    /// Many, for which the reader writes events. The log grows from page to page, faster than the statistics of the
    /// database. A join would be planned for a small log and read all of it for each page, so each row is looked up.
    Many,
}

/// Reads the rows after a key that have no event in the log, in the order of their keys.
pub(crate) fn rows_without_events<'q, DB: SqlTypes, M: ModelOn<DB>>(
    after: Option<&'q KeyValue>,
    limit: i64,
    unlogged: Unlogged,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    if let Some(after) = after {
        push_is_after::<DB, M>(&mut statement, "t.", after);
        statement.sql(" AND ");
    }
    push_without_events::<DB, M>(&mut statement, unlogged);
    statement.sql(" ORDER BY ");
    push_key_columns::<DB, M>(&mut statement, "t.");
    statement.sql(" LIMIT ").value(limit);
    statement
}

/// Counts the rows that have no event.
pub(crate) fn count_without_events<'q, DB: SqlTypes, M: ModelOn<DB>>() -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT count(*) FROM ");
    statement.table::<M>().sql(" t WHERE ");
    push_without_events::<DB, M>(&mut statement, Unlogged::Few);
    statement
}

fn push_without_events<DB: SqlTypes, M: ModelOn<DB>>(statement: &mut Statement<'_, DB>, unlogged: Unlogged) {
    let table = M::whole_log();
    // A planner does not turn a subquery with a limit into a join.
    let (start, end) = match unlogged {
        Unlogged::Few => ("NOT EXISTS (SELECT 1 FROM ", ")"),
        Unlogged::Many => ("(SELECT 1 FROM ", " LIMIT 1) IS NULL"),
    };
    statement.sql(start).log(table.name).sql(" e WHERE e.record_id = ");
    push_record_of::<DB, M>(statement, "t.");
    statement.and_schema("e", table).sql(end);
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
