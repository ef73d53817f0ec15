//! Builds the statement that selects rows by a filter of Diesel's.

use diesel::query_builder::QueryFragment;
use evented_core::KeyValue;

use crate::model::ModelOn;
use crate::sql::{SqlTypes, Statement};
use crate::statements::key_columns::{push_is_after, push_key_columns, push_record_of_table};
use crate::statements::row_lock::RowLock;

/// Selects the keys of the rows that a filter matches, in their order and after a key, and locks the rows.
///
/// The table has no alias: Diesel's columns are written with the table's name.
pub(crate) fn matching_rows<'q, DB: SqlTypes, M: ModelOn<DB>>(
    filter: &'q (dyn QueryFragment<DB> + Sync),
    (after, limit): (Option<&'q KeyValue>, Option<i64>),
    lock: RowLock,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    push_record_of_table::<DB, M>(&mut statement);
    statement.sql(" FROM ").table::<M>().sql(" WHERE (").fragment(filter).sql(")");
    if let Some(after) = after {
        statement.sql(" AND ");
        push_is_after::<DB, M>(&mut statement, "", after);
    }
    statement.sql(" ORDER BY ");
    push_key_columns::<DB, M>(&mut statement, "");
    if let Some(limit) = limit {
        statement.sql(" LIMIT ").value(limit);
    }
    statement.sql(lock.sql(DB::DATABASE));
    statement
}
