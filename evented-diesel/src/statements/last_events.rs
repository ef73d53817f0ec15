//! Builds the statements about the last events of records, and about the histories of several records.

use std::marker::PhantomData;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::KeyValue;

use crate::model::Model;
use crate::sql::{EventTable, SqlTypes, Statement};
use crate::statements::events::{HEAD_WIDTH, HeadRow, REPLAYED_COLUMNS, head_columns, read_key};

/// The last event of a record of `M`.
pub(crate) struct LastEventOf<M> {
    pub(crate) record: KeyValue,
    pub(crate) head: HeadRow,
    model: PhantomData<fn() -> M>,
}

impl<DB: SqlTypes, M: Model> QueryableByName<DB> for LastEventOf<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            head: HeadRow::read(row, 0)?,
            record: read_key(M::KEY, row, HEAD_WIDTH)?,
            model: PhantomData,
        })
    }
}

/// Reads the last event of each record after a key, in the order of the log's keys.
pub(crate) fn last_events_after<'q, DB: SqlTypes>(
    table: EventTable,
    after: Option<&'q KeyValue>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = select_last_events(table);
    if let Some(after) = after {
        statement.sql(" AND e.record_id > ").value(after);
    }
    statement.sql(" ORDER BY e.record_id LIMIT ").value(limit);
    statement
}

/// Reads the last events of some records.
pub(crate) fn last_events_of<'q, DB: SqlTypes>(
    table: EventTable,
    records: &'q [KeyValue],
) -> Statement<'q, DB> {
    let mut statement = select_last_events(table);
    statement.sql(" AND e.record_id").among(records);
    statement
}

fn select_last_events<'q, DB: SqlTypes>(table: EventTable) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(head_columns(table)).sql(", e.record_id FROM ").log(table.name);
    // As a value, the subquery looks into the index for each event. As `NOT EXISTS` it can become a join that reads the log
    // from its beginning for each page.
    statement.sql(" e WHERE (SELECT 1 FROM ").log(table.name);
    statement.sql(" n WHERE n.record_id = e.record_id").and_schema("n", table);
    statement.sql(" AND n.revision > e.revision LIMIT 1) IS NULL").and_schema("e", table);
    statement
}

/// Reads the events of some records, each from its last savepoint on and oldest first, and at most `limit` of them.
pub(crate) fn events_of_records<'q, DB: SqlTypes>(
    table: EventTable,
    records: &'q [KeyValue],
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(REPLAYED_COLUMNS).sql(", e.record_id FROM ").log(table.name);
    // The action is a literal, not a bind: only then does the planner use the partial index.
    statement.sql(" e WHERE e.revision >= COALESCE((SELECT max(s.revision) FROM ").log(table.name);
    statement.sql(" s WHERE s.action = 'savepoint' AND s.record_id = e.record_id").and_schema("s", table);
    statement.sql("), 0)").and_schema("e", table);
    statement.sql(" AND e.record_id").among(records);
    statement.sql(" ORDER BY e.record_id, e.revision LIMIT ").value(limit);
    statement
}
