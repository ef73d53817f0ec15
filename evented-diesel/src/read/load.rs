//! Reads a record's history and replays it.

use evented_core::{Replay, ReplayError, StoredEvent};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, Record};
use crate::statements::{EventRow, HeadRow, Until, head_of, history};
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
    let recent = events(executor, record, until, true).await?;
    let starts_late = recent.first().is_some_and(|event| event.data.revision > 1);
    match fold(record, &recent) {
        Ok(replay) if !starts_late || savepoint_holds(record, &recent) => Ok(replay),
        Err(source) if !starts_late => Err(Error::replay(record.name(), source)),
        Ok(_) | Err(_) => {
            telemetry::passed_over(
                M::SCHEMA,
                &record.value,
                recent.first().map_or(0, |event| event.data.revision),
            );
            let all = events(executor, record, until, false).await?;
            fold(record, &all).map_err(|source| Error::replay(record.name(), source))
        }
    }
}

fn fold<M: Model>(record: &Record<M>, events: &[StoredEvent]) -> Result<Replay<M>, ReplayError> {
    let mut replay = Replay::new(record.key.clone());
    for event in events {
        replay.apply(&event.data)?;
    }
    Ok(replay)
}

/// Returns whether the savepoint at the start of a history still leads to the state that it recorded.
fn savepoint_holds<M: Model>(record: &Record<M>, recent: &[StoredEvent]) -> bool {
    let Some(savepoint) = recent.first() else { return true };
    let mut replay = Replay::<M>::new(record.key.clone());
    replay.apply(&savepoint.data).is_ok()
        && replay.agrees_with(savepoint.data.version, &savepoint.state).unwrap_or(false)
}

/// Reads the last event of a record; `None` if there is none.
pub async fn head<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
) -> Result<Option<HeadRow>, Error> {
    record.first::<HeadRow, _, _>(executor, head_of(M::event_table(&record.value), &record.value)).await
}
