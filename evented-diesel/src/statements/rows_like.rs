//! Builds the statements that find the row with the values of another in some columns.

use evented_core::KeyValue;

use crate::model::ModelOn;
use crate::sql::{SqlTypes, Statement};
use crate::statements::key_columns::{push_is_record, push_key_part, push_record_of};
use crate::statements::many_rows::push_last_event;
use crate::statements::row_lock::RowLock;
use crate::statements::rows::select_current;

/// A row that would be inserted, and the columns that another row may have the same values in.
#[derive(Debug)]
pub(crate) struct Likeness<'q, M> {
    pub(crate) key: &'q KeyValue,
    pub(crate) row: &'q M,
    /// The names of the columns; none for the key.
    pub(crate) columns: &'q [&'static str],
}

/// Reads the row with the head of its log, as [`current`](super::current) does for a key.
pub(crate) fn current_like<'q, DB: SqlTypes, M: ModelOn<DB>>(like: &Likeness<'q, M>) -> Statement<'q, DB> {
    // For a log with shards, this is the view over them.
    let table = M::whole_log();
    let mut statement = select_current::<DB, M>(table);
    statement.sql(" FROM ").table::<M>().sql(" t INNER JOIN ");
    push_last_event::<DB, M>(&mut statement);
    statement.sql(" WHERE ");
    push_is_like(&mut statement, like);
    statement
}

/// Selects the key of the row, and locks the row.
pub(crate) fn record_like<'q, DB: SqlTypes, M: ModelOn<DB>>(like: &Likeness<'q, M>) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    push_record_of::<DB, M>(&mut statement, "t.");
    statement.sql(" FROM ").table::<M>().sql(" t WHERE ");
    push_is_like(&mut statement, like);
    statement.sql(RowLock::Change.sql(DB::DATABASE));
    statement
}

/// Adds a condition that selects the row, called `t`.
fn push_is_like<'q, DB: SqlTypes, M: ModelOn<DB>>(statement: &mut Statement<'q, DB>, like: &Likeness<'q, M>) {
    if like.columns.is_empty() {
        push_is_record::<DB, M>(statement, "t.", like.key);
        return;
    }
    for (index, column) in like.columns.iter().enumerate() {
        statement.sql(if index == 0 { "t." } else { " AND t." }).identifier(column).sql(" = ");
        match M::WRITTEN.iter().position(|written| written == column) {
            Some(field) => {
                statement.field(like.row, field);
            }
            None => push_key_part::<DB, M>(statement, like.key, column),
        }
    }
}
