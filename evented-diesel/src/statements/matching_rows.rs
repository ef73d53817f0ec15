//! Builds the statement that selects rows by a filter of Diesel's.

use diesel::deserialize::{self, QueryableByName};
use diesel::query_builder::QueryFragment;
use diesel::row::NamedRow;
use evented_core::KeyValue;

use crate::model::ModelOn;
use crate::sql::{SqlTypes, Statement, optional};
use crate::statements::events::{HEAD_WIDTH, HeadRow, head_columns};
use crate::statements::key_columns::{push_is_after, push_key_columns};
use crate::statements::many_rows::push_last_event;
use crate::statements::row_lock::RowLock;

/// A row that a filter matches, with the last event of its record if there is one.
pub(crate) struct MatchingRow<M> {
    pub(crate) head: Option<HeadRow>,
    pub(crate) row: M,
}

impl<DB: SqlTypes, M: ModelOn<DB>> QueryableByName<DB> for MatchingRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let has_head = optional(row, 0, DB::read_big_int)?.is_some();
        let head = has_head.then(|| HeadRow::read(row, 0)).transpose()?;
        Ok(Self { head, row: M::read(row, HEAD_WIDTH)? })
    }
}

/// Reads the rows that a filter matches, in the order of their keys and after a key, with the last events of their
/// records. Locks the rows if `lock` says so.
///
/// The events are those of the statement's snapshot. If a statement that locks waited for another writer of a row, the row is
/// later than its event, and the digest of the event does not match it.
pub(crate) fn matching_rows<'q, DB: SqlTypes, M: ModelOn<DB>>(
    filter: &'q (dyn QueryFragment<DB> + Sync),
    (after, limit): (Option<&'q KeyValue>, Option<i64>),
    lock: Option<RowLock>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(head_columns(M::whole_log())).sql(", ").columns("t.", M::COLUMNS);
    // Diesel writes columns with the name of their table, so the table has no alias here.
    statement.sql(" FROM (SELECT * FROM ").table::<M>().sql(" WHERE (").fragment(filter).sql(")");
    if let Some(after) = after {
        statement.sql(" AND ");
        push_is_after::<DB, M>(&mut statement, "", after);
    }
    statement.sql(" ORDER BY ");
    push_key_columns::<DB, M>(&mut statement, "");
    if let Some(limit) = limit {
        statement.sql(" LIMIT ").value(limit);
    }
    statement.sql(lock.map_or("", |lock| lock.sql(DB::DATABASE))).sql(") t LEFT JOIN ");
    push_last_event::<DB, M>(&mut statement);
    statement.sql(" ORDER BY ");
    push_key_columns::<DB, M>(&mut statement, "t.");
    statement
}
