//! Reads a record's history and replays it.

use std::collections::HashMap;

use evented_core::{KeyValue, Replay, ReplayError, StoredEvent};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::statements::{
    EventRow, HeadRow, ReplayedEvent, ReplayedEventOf, Until, events_of_records, head_of, history,
    history_to_replay, key_portions,
};
use crate::telemetry;

/// Reads the events of a record up to a limit, oldest first: all of them, or from the last savepoint on.
pub async fn events<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    until: Until,
    from_savepoint: bool,
) -> Result<Vec<StoredEvent>, Error> {
    let statement = history(M::event_table(&record.value), &record.value, until, from_savepoint);
    let rows = record.load::<EventRow, _, _>(executor, statement).await?;
    telemetry::record("events", rows.len());
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Replays a record up to a limit, and returns its state and the revision of the last event.
///
/// A savepoint is only a shortcut: if it cannot be used, the whole history is replayed.
pub async fn replay<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    until: Until,
) -> Result<Replay<M>, Error> {
    let recent = events_to_replay(executor, record, until, true).await?;
    match from_savepoint(record, &recent)? {
        Some(replay) => Ok(replay),
        None => {
            let all = events_to_replay(executor, record, until, false).await?;
            fold(record, &all).map_err(|source| Error::replay(record.name(), source))
        }
    }
}

async fn events_to_replay<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    until: Until,
    from_savepoint: bool,
) -> Result<Vec<ReplayedEvent>, Error> {
    let table = M::event_table(&record.value);
    let statement = history_to_replay(table, &record.value, until, from_savepoint);
    let rows = record.load::<ReplayedEvent, _, _>(executor, statement).await?;
    telemetry::record("events", rows.len());
    Ok(rows)
}

/// Replays events that may start with a savepoint; `None` if that savepoint cannot be used.
fn from_savepoint<M: Model>(
    record: &Record<M>,
    recent: &[ReplayedEvent],
) -> Result<Option<Replay<M>>, Error> {
    let starts_late = recent.first().is_some_and(|event| event.data.revision > 1);
    match fold(record, recent) {
        Ok(replay) if !starts_late || savepoint_holds(record, recent) => Ok(Some(replay)),
        Err(source) if !starts_late => Err(Error::replay(record.name(), source)),
        Ok(_) | Err(_) => {
            let revision = recent.first().map_or(0, |event| event.data.revision);
            telemetry::passed_over(M::SCHEMA, &record.value, revision);
            Ok(None)
        }
    }
}

/// The number of events that one statement reads for several records. It bounds the memory that their histories take.
const SLICE: i64 = 8_192;

/// The replays of several records, by their keys. A record whose events cannot be replayed has the error.
pub(crate) type Replays<M> = HashMap<KeyValue, Result<Replay<M>, Error>>;

/// Replays several records, with a few statements for all of them. A record without events has no replay.
pub(crate) async fn replays<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    keys: &[KeyValue],
) -> Result<Replays<M>, Error> {
    let mut replays = HashMap::with_capacity(keys.len());
    for keys in key_portions::<DB, M>(keys) {
        let mut remaining = keys.to_vec();
        while !remaining.is_empty() {
            let statement = events_of_records(M::whole_log(), &remaining, SLICE);
            let rows = executor.load::<ReplayedEventOf<M>>(statement).await.map_err(table_failed::<M>)?;
            let has_all = i64::try_from(rows.len()).is_ok_and(|read| read < SLICE);
            let mut histories = by_record(rows);
            // The slice may end within the last of several records.
            let cut = if has_all { None } else { histories.pop() };
            let alone = cut.filter(|_| histories.is_empty());
            for (key, history) in histories {
                let record = Record::of_stored(key.clone())?;
                let replay = match from_savepoint(&record, &history).transpose() {
                    Some(replay) => replay,
                    None => replay_alone(executor, &record).await?,
                };
                replays.insert(key, replay);
            }
            if let Some((key, _)) = alone {
                let replay = replay_alone(executor, &Record::of_stored(key.clone())?).await?;
                replays.insert(key, replay);
            }
            remaining.retain(|key| !has_all && !replays.contains_key(key));
        }
    }
    Ok(replays)
}

/// Replays a record whose history is long or starts with a savepoint that cannot be used.
async fn replay_alone<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
) -> Result<Result<Replay<M>, Error>, Error> {
    match replay(executor, record, Until::default()).await {
        Err(error @ Error::Replay { .. }) => Ok(Err(error)),
        other => other.map(Ok),
    }
}

fn by_record<M: Model>(rows: Vec<ReplayedEventOf<M>>) -> Vec<(KeyValue, Vec<ReplayedEvent>)> {
    let mut histories: Vec<(KeyValue, Vec<ReplayedEvent>)> = Vec::new();
    for ReplayedEventOf { record, event, .. } in rows {
        match histories.last_mut() {
            Some((last, events)) if *last == record => events.push(event),
            _ => histories.push((record, vec![event])),
        }
    }
    histories
}

fn fold<M: Model>(record: &Record<M>, events: &[ReplayedEvent]) -> Result<Replay<M>, ReplayError> {
    let mut replay = Replay::new(record.key.clone());
    for event in events {
        replay.apply(&event.data)?;
    }
    Ok(replay)
}

/// Returns whether the savepoint at the start of a history still leads to the state that it recorded.
fn savepoint_holds<M: Model>(record: &Record<M>, recent: &[ReplayedEvent]) -> bool {
    let Some(savepoint) = recent.first() else { return true };
    let Some(state) = &savepoint.state else { return false };
    let mut replay = Replay::<M>::new(record.key.clone());
    replay.apply(&savepoint.data).is_ok()
        && replay.agrees_with(savepoint.data.version, state).unwrap_or(false)
}

/// Reads the last event of a record; `None` if there is none.
pub async fn head<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
) -> Result<Option<HeadRow>, Error> {
    record.first::<HeadRow, _, _>(executor, head_of(M::event_table(&record.value), &record.value)).await
}
