//! Reading what a batch is about, and writing what it comes to.

use std::collections::{BTreeSet, HashMap};

use evented_core::KeyValue;

use super::plan::{Plan, Working};
use crate::backend::Dialect;
use crate::command::{Command, Kind};
use crate::error::{Error, RecordName};
use crate::model::{Model, Rows};
use crate::run::driver::Driver;
use crate::statement::{
    Append, Current, RecordRow, columns_to_write, current_rows, portions, remove_many, update_many,
};
use crate::steps::change::reconcile;
use crate::steps::command::{Head, Record};

/// How many events one statement appends.
const EVENTS: usize = 4_096;

/// The records that the commands change, in the order of their keys.
pub(super) fn keys<M: Model>(commands: &[Command<M>]) -> Vec<KeyValue> {
    let keys: BTreeSet<KeyValue> = commands
        .iter()
        .filter_map(|command| match &command.kind {
            Kind::Insert(_) => None,
            Kind::Change(target, _) | Kind::Delete(target) | Kind::Savepoint(target) => {
                Some(M::key_value(&target.key))
            }
        })
        .collect();
    keys.into_iter().collect()
}

/// Locks records in the order of their keys, so that two batches never wait for each other.
pub(super) async fn lock<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    keys: &[KeyValue],
) -> Result<(), Error> {
    for keys in portions::<DB, _>(keys, 1) {
        DB::lock_many::<M, D>(driver, keys).await.map_err(failed::<M>)?;
    }
    Ok(())
}

/// Locks and reads every record that the commands change. `None` where one is missing or its log does not vouch for it.
pub(super) async fn read<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    keys: &[KeyValue],
) -> Result<Option<HashMap<KeyValue, Working<M>>>, Error> {
    lock::<DB, M, D>(driver, keys).await?;
    let mut records = HashMap::with_capacity(keys.len());
    for keys in portions::<DB, _>(keys, 1) {
        let rows = driver.load::<Current<M>>(current_rows::<DB, M>(keys)).await.map_err(failed::<M>)?;
        for Current { head, row, .. } in rows {
            let record = Record::<M>::new(row.key().clone());
            let digests =
                row.digests().map_err(|source| Error::Unstorable { record: record.name(), source })?;
            if head.version != M::VERSION || digests.state(M::DIGEST_ORDER) != head.state {
                return Ok(None);
            }
            let working = Working {
                original: Some(digests.clone()),
                state: Some(row),
                digests: Some(digests),
                head: Head::from(&head),
                last: 0,
            };
            records.insert(record.value, working);
        }
    }
    Ok((records.len() == keys.len()).then_some(records))
}

/// Writes the events, in the order of the commands, and the rows.
pub(super) async fn write<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    plan: Plan<M>,
) -> Result<Vec<M>, Error> {
    let Plan { events, records, mut results } = plan;
    let mut events: Vec<Append<'_>> = events.iter().map(super::plan::Planned::append::<M>).collect();
    // One statement writes one table: over shards, those of each come together.
    events.sort_by_key(|event| event.place.table.table);
    for events in events.chunk_by(|one, next| one.place.table == next.place.table) {
        for events in events.chunks(EVENTS) {
            DB::append_many::<M, D>(driver, events).await.map_err(failed::<M>)?;
        }
    }
    let rows = write_rows(driver, &records).await?;
    for row in rows {
        let record = Record::<M>::new(row.key().clone());
        let Some(working) = records.get(&record.value) else { continue };
        let Some(digests) = &working.digests else { continue };
        if let Some(result) = results.get_mut(working.last) {
            *result = reconcile(driver, &record, digests, row).await?;
        }
    }
    Ok(results)
}

/// Deletes first, so that what they leave free can be taken; gives the written rows as the database holds them.
async fn write_rows<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    records: &HashMap<KeyValue, Working<M>>,
) -> Result<Vec<M>, Error> {
    let (mut gone, mut changed, mut made) = (Vec::new(), Vec::new(), Vec::new());
    let mut columns = BTreeSet::new();
    for (key, working) in records {
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
    changed.sort_by(|(a, _), (b, _)| a.cmp(b));
    made.sort_by(|(a, _), (b, _)| a.cmp(b));
    for keys in portions::<DB, _>(&gone, 1) {
        driver.load::<RecordRow<M>>(remove_many::<DB, M>(keys)).await.map_err(failed::<M>)?;
    }
    let mut rows = Vec::with_capacity(changed.len() + made.len());
    let columns = columns_to_write::<M>(columns.into_iter().collect());
    if !columns.is_empty() {
        for changed in portions::<DB, _>(&changed, columns.len() + 1) {
            let statement = update_many::<DB, M>(changed, &columns);
            let written = driver.load::<RecordRow<M>>(statement).await.map_err(failed::<M>)?;
            rows.extend(written.into_iter().map(|row| row.0));
        }
    }
    rows.extend(DB::make_rows(driver, &made).await.map_err(failed::<M>)?);
    Ok(rows)
}

fn failed<M: crate::model::Model>(error: diesel::result::Error) -> Error {
    Error::database(RecordName { schema: M::SCHEMA, key: None }, error)
}
