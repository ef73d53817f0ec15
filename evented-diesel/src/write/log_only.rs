//! Writes models without a table: only the log has their state, so each write begins with a replay.

use std::collections::BTreeSet;

use diesel::QueryResult;
use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, Record, stable_hash};
use crate::read::load;
use crate::statements::{Append, Appended, Guard, HeadRow, Inserted, Removed, Until, Written, append};
use crate::write::append_event::Head;
use crate::write::attempts::ATTEMPTS;
use crate::write::drift::Resolved;

/// Locks records against other writers until the end of the transaction. There is no row to lock, so the lock is on a
/// number derived from the record's name. All writers lock in the same order, so two batches do not deadlock.
pub(crate) async fn lock<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    records: &[KeyValue],
) -> QueryResult<()> {
    let number = |record| stable_hash(format!("{} {record}", M::SCHEMA).as_bytes()).cast_signed();
    let numbers: BTreeSet<i64> = records.iter().map(number).collect();
    for number in numbers {
        DB::lock_number::<M, E>(executor, number).await?;
    }
    Ok(())
}

/// Finds the state of a record and the head of its history.
pub(crate) async fn resolve<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
) -> Result<Resolved<M>, Error> {
    for _ in 0..ATTEMPTS {
        let replay = load::replay(executor, record, Until::default()).await?;
        let head = load::head(executor, record).await?.as_ref().map_or(Head::NONE, Head::from);
        if replay.revision() == head.revision {
            return Ok(Resolved { state: replay.into_state(), head, guard: Guard::Locked, overwrote: None });
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

/// Appends the first event of a record.
pub(crate) async fn insert<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    event: &Append<'_>,
    state: &M,
) -> QueryResult<Inserted<M>> {
    let appended = append_one(executor, event).await?;
    Ok(Inserted { written: appended.map(|done| (done.offset, done.revision, state.copy())) })
}

/// Appends an event that changes a record or contains its whole state.
pub(crate) async fn update<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    event: &Append<'_>,
    state: &M,
) -> QueryResult<Written<M>> {
    let appended = append_one(executor, event).await?;
    Ok(Written { offset: appended.map(|done| done.offset), row: Some(state.copy()) })
}

/// Appends the event that deletes a record.
pub(crate) async fn delete<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    event: &Append<'_>,
    state: Option<M>,
) -> QueryResult<Removed<M>> {
    let appended = append_one(executor, event).await?;
    // The state comes from the log alone, so the log knows what was deleted.
    let head = HeadRow {
        revision: event.revision.saturating_sub(1),
        version: event.version,
        state: *event.state,
        hash: event.hash,
        txid: 0,
    };
    Ok(Removed { appended: appended.map(|done| (done.offset, done.revision)), row: state, head: Some(head) })
}

async fn append_one<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    event: &Append<'_>,
) -> QueryResult<Option<Appended>> {
    Ok(executor.load::<Appended>(append(event)).await?.into_iter().next())
}
