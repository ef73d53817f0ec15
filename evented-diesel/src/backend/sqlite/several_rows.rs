//! Writes many rows and events of SQLite, several in a statement.

use diesel::QueryResult;
use diesel::sqlite::Sqlite;
use evented_core::KeyValue;

use super::unplaced;
use crate::exec::Executor;
use crate::model::ModelOn;
use crate::sql::Statement;
use crate::statements::{
    Append, RecordRow, Source, append_columns, key_portions, portions, push_append_values, rows_of,
    update_many,
};

/// Writes the same columns of rows, and returns the rows.
pub(super) async fn change_rows<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    rows: &[(KeyValue, &M)],
    columns: &[usize],
) -> QueryResult<Vec<M>> {
    let mut written = 0;
    for rows in portions::<Sqlite, _>(rows, columns.len() + M::KEY_PARTS.len()) {
        written += executor.execute(update_many::<Sqlite, M>(rows, columns)).await?;
    }
    if written != rows.len() {
        return Ok(Vec::new());
    }
    let keys: Vec<KeyValue> = rows.iter().map(|(key, _)| key.clone()).collect();
    rows_afterwards(executor, &keys).await
}

/// Appends events, in their order.
pub(super) async fn append<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    events: &[Append<'_>],
) -> QueryResult<()> {
    for events in events.chunks(EVENTS_PER_STATEMENT) {
        append_together::<M, D>(executor, events).await?;
    }
    Ok(())
}

/// Stands for the text of an insert of [`EVENTS_PER_STATEMENT`] events.
struct EventsTogether;

/// Reads rows after they were written. They then show what triggers did, and a statement without `RETURNING` is faster.
pub(super) async fn rows_afterwards<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    keys: &[KeyValue],
) -> QueryResult<Vec<M>> {
    let mut rows = Vec::with_capacity(keys.len());
    for keys in key_portions::<Sqlite, M>(keys) {
        let found = executor.load::<RecordRow<M>>(rows_of::<Sqlite, M>(keys)).await?;
        rows.extend(found.into_iter().map(|row| row.0));
    }
    Ok(rows)
}

/// The number of events that one statement appends.
const EVENTS_PER_STATEMENT: usize = 64;

/// Appends some events. An event of a log with shards takes its number from all of them, so it is appended alone.
async fn append_together<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    events: &[Append<'_>],
) -> QueryResult<()> {
    let together = events.len() == EVENTS_PER_STATEMENT
        && events.iter().all(|event| event.table.shards.is_empty() && !event.given_id);
    if together {
        return executor.execute(events_of_one_table(events).fixed::<M, EventsTogether>()).await.map(drop);
    }
    for event in events {
        unplaced::<M, D>(executor, &Append { placed: false, ..event.clone() }).await?;
    }
    Ok(())
}

/// Appends events of one log, in their order.
fn events_of_one_table<'q>(events: &'q [Append<'_>]) -> Statement<'q, Sqlite> {
    let mut statement = Statement::new("");
    for (index, append) in events.iter().enumerate() {
        if index == 0 {
            append_columns(&mut statement, append.table, false, false);
        }
        statement.sql(if index == 0 { "VALUES (" } else { "), (" });
        let record = Source::Known(append.record.into());
        push_append_values(&mut statement, append, record, append.known_revision(), false);
    }
    statement.sql(")");
    statement
}
