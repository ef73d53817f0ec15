//! Reads the records of a batch, and writes its plan.

use std::collections::{BTreeSet, HashMap};

use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::domain::{Cause, PublicationRow};
use crate::error::{Error, Subject};
use crate::exec::Executor;
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::statements::{
    Append, Current, HeadRow, RecordRow, RowLock, columns_to_write, current_rows, key_portions, remove_many,
};
use crate::write::append_event::{Head, sort_by_table};
use crate::write::batch_plan::{Plan, Planned, Working};
use crate::write::command::{Command, Kind};
use crate::write::drift::reconcile;
use crate::write::published;

/// The maximum number of events that one statement appends.
const EVENTS_PER_STATEMENT: usize = 4_096;

/// Returns the keys of the records that the commands change, in order.
pub(crate) fn keys<M: Model>(commands: &[Command<M>]) -> Vec<KeyValue> {
    let keys: BTreeSet<KeyValue> = commands
        .iter()
        .filter_map(|command| match &command.kind {
            Kind::Insert(_) => None,
            Kind::Change(target, _) | Kind::Delete(target) | Kind::Savepoint(target) => {
                Some(M::key_value(target.key()))
            }
        })
        .collect();
    keys.into_iter().collect()
}

/// Returns how strongly the commands lock their records.
pub(crate) fn lock_of<M: Model>(commands: &[Command<M>]) -> RowLock {
    let deletes = commands.iter().any(|command| matches!(command.kind, Kind::Delete(_)));
    if deletes { RowLock::Delete } else { RowLock::Change }
}

/// Locks records in the order of their keys, so that two batches never deadlock.
pub(crate) async fn lock<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    keys: &[KeyValue],
    lock: RowLock,
) -> Result<(), Error> {
    for keys in key_portions::<DB, M>(keys) {
        DB::lock_many::<M, D>(executor, keys, lock).await.map_err(table_failed::<M>)?;
    }
    Ok(())
}

/// Locks and reads every record that the commands change; `None` if one is missing or does not match its log.
pub(crate) async fn read<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    keys: &[KeyValue],
    row_lock: RowLock,
) -> Result<Option<HashMap<KeyValue, Working<M>>>, Error> {
    lock::<DB, M, D>(executor, keys, row_lock).await?;
    let records = read_locked::<DB, M, D>(executor, keys).await?;
    Ok((records.len() == keys.len()).then_some(records))
}

/// Returns a record if its row matches the last event of its log. `None` also for a row with a value that no log keeps: a
/// command for that row alone says which one, or deletes it.
pub(crate) fn verified<M: Model>(head: &HeadRow, row: M) -> Option<(KeyValue, Working<M>)> {
    let record = Record::<M>::new(row.key());
    let digests = row.digests().ok()?;
    if head.version != M::VERSION || digests.state(M::DIGEST_ORDER) != head.state {
        return None;
    }
    let working = Working {
        original: Some(digests.clone()),
        state: Some(row),
        digests: Some(digests),
        head: Head::from(head),
        last: 0,
    };
    Some((record.value, working))
}

/// Reads the locked records that exist and match their logs.
pub(crate) async fn read_locked<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    keys: &[KeyValue],
) -> Result<HashMap<KeyValue, Working<M>>, Error> {
    let mut records = HashMap::with_capacity(keys.len());
    for keys in key_portions::<DB, M>(keys) {
        let rows =
            executor.load::<Current<M>>(current_rows::<DB, M>(keys)).await.map_err(table_failed::<M>)?;
        for Current { head, row, .. } in rows {
            records.extend(verified(&head, row));
        }
    }
    Ok(records)
}

/// Writes the events, in the order of the commands, and then the rows.
pub(crate) async fn write<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    plan: Plan<M>,
) -> Result<Vec<M>, Error> {
    let Plan { events: planned, records, mut results } = plan;
    let mut events: Vec<Append<'_>> = planned.iter().map(Planned::append::<M>).collect();
    // One statement writes one table: group the events by shard.
    sort_by_table(&mut events);
    for events in events.chunk_by(|one, next| one.table.name == next.table.name) {
        for events in events.chunks(EVENTS_PER_STATEMENT) {
            DB::append_many::<M, D>(executor, events).await.map_err(table_failed::<M>)?;
        }
    }
    publish::<DB, M, D>(executor, &planned).await?;
    let rows = write_rows(executor, &records).await?;
    for row in rows {
        let record = Record::<M>::new(row.key());
        let Some(working) = records.get(&record.value) else {
            // The row has a key that no command has.
            return Err(Error::NotWritten { record: Subject::Model(M::SCHEMA) });
        };
        let Some(digests) = &working.digests else { continue };
        if let Some(result) = results.get_mut(working.last) {
            *result = reconcile(executor, &record, digests, row).await?;
        }
    }
    Ok(results)
}

/// Writes the domain events, in the order of the commands.
async fn publish<DB: EventedBackend, M: Model, D: Executor<DB>>(
    executor: &mut D,
    planned: &[Planned],
) -> Result<(), Error> {
    let publishing: Vec<&Planned> = planned.iter().filter(|event| !event.published.is_empty()).collect();
    let records: Vec<String> = publishing.iter().map(|event| event.record.to_string()).collect();
    let rows = publication_rows(&publishing, &records);
    published::write_rows(executor, rows).await.map_err(table_failed::<M>)
}

/// Returns the rows of the domain events of several events. `records` has the text of the key of each.
fn publication_rows<'p>(publishing: &[&'p Planned], records: &'p [String]) -> Vec<PublicationRow<'p>> {
    let mut rows = Vec::new();
    for (event, record) in publishing.iter().zip(records) {
        let cause = Cause::Event { record, revision: event.revision() };
        rows.extend(event.published.iter().map(|publication| PublicationRow { publication, cause }));
    }
    rows
}

/// Returns the keys in their order. Not generic: a sort is much code to compile for each model.
fn in_order(mut keys: Vec<&KeyValue>) -> Vec<&KeyValue> {
    keys.sort_unstable();
    keys
}

/// Deletes first, so that other rows can reuse unique values of the deleted ones. Returns the written rows as the
/// database stores them.
async fn write_rows<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    records: &HashMap<KeyValue, Working<M>>,
) -> Result<Vec<M>, Error> {
    let (mut gone, mut changed, mut made) = (Vec::new(), Vec::new(), Vec::new());
    let mut columns = BTreeSet::new();
    for key in in_order(records.keys().collect()) {
        let Some(working) = records.get(key) else { continue };
        match (&working.original, &working.state) {
            (Some(_), None) => gone.push(key.clone()),
            (Some(original), Some(state)) => {
                columns.extend(working.digests.iter().flat_map(|digests| original.differing(digests)));
                changed.push((key.clone(), state));
            }
            (None, Some(state)) => made.push((key.clone(), state)),
            (None, None) => {}
        }
    }
    for keys in key_portions::<DB, M>(&gone) {
        let removed = executor.load::<RecordRow<M>>(remove_many::<DB, M>(keys)).await;
        all_written::<M>(keys.len(), removed.map_err(table_failed::<M>)?.len())?;
    }
    let mut rows = Vec::with_capacity(changed.len() + made.len());
    let columns = columns_to_write::<M>(columns.into_iter().collect());
    if !columns.is_empty() {
        let written = DB::change_rows(executor, &changed, &columns).await.map_err(table_failed::<M>)?;
        all_written::<M>(changed.len(), written.len())?;
        rows.extend(written);
    }
    let inserted = DB::make_rows(executor, &made).await.map_err(table_failed::<M>)?;
    all_written::<M>(made.len(), inserted.len())?;
    rows.extend(inserted);
    Ok(rows)
}

/// Checks that the database wrote each of the rows. The error does not say which one it did not write: the command for
/// that row alone does.
fn all_written<M: Model>(rows: usize, written: usize) -> Result<(), Error> {
    if rows == written { Ok(()) } else { Err(Error::NotWritten { record: Subject::Model(M::SCHEMA) }) }
}
