//! Reading a record's history, and the state it leads to.

use evented_core::{Replay, ReplayError, State, StoredEvent};

use super::command::Record;
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::Error;
use crate::model::{Model, Rows};
use crate::observe;
use crate::run::driver::Driver;
use crate::statement::{EventOf, EventRow, HeadRow, Until, event_by_id, head_of, history};

/// The events of a record up to a limit, oldest first: all of them, or from the last savepoint on.
pub(crate) async fn events<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    until: Until,
    from_savepoint: bool,
) -> Result<Vec<StoredEvent>, Error> {
    let statement = history(M::place(&record.value), &record.value, until, from_savepoint);
    let rows = driver.load::<EventRow>(statement).await.map_err(|error| record.failed(error))?;
    observe::record("events", rows.len());
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// The state of a record up to a limit, with the last event's revision.
///
/// A savepoint is only a short cut: if one cannot be used, the whole history is replayed.
pub(crate) async fn replay<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    until: Until,
) -> Result<Replay<M>, Error> {
    let recent = events(driver, record, until, true).await?;
    let starts_late = recent.first().is_some_and(|event| event.revision > 1);
    match fold(record, &recent) {
        Ok(replay) if !starts_late || savepoint_holds(record, &recent) => Ok(replay),
        Err(source) if !starts_late => Err(Error::replay(record.name(), source)),
        Ok(_) | Err(_) => {
            observe::passed_over(M::SCHEMA, &record.value, recent.first().map_or(0, |event| event.revision));
            let all = events(driver, record, until, false).await?;
            fold(record, &all).map_err(|source| Error::replay(record.name(), source))
        }
    }
}

fn fold<M: Model>(record: &Record<M>, events: &[StoredEvent]) -> Result<Replay<M>, ReplayError> {
    let mut replay = Replay::new(record.key.clone());
    for event in events {
        replay.apply(event)?;
    }
    Ok(replay)
}

/// Whether the savepoint that a history starts with still leads to the state it was made of.
fn savepoint_holds<M: Model>(record: &Record<M>, recent: &[StoredEvent]) -> bool {
    let Some(savepoint) = recent.first() else { return true };
    let mut replay = Replay::<M>::new(record.key.clone());
    replay.apply(savepoint).is_ok() && replay.agrees_with(savepoint).unwrap_or(false)
}

/// The last event of a record.
pub(crate) async fn head<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
) -> Result<Option<HeadRow>, Error> {
    let rows = driver.load::<HeadRow>(head_of(M::place(&record.value), &record.value)).await;
    Ok(rows.map_err(|error| record.failed(error))?.into_iter().next())
}

/// What the first run of an idempotent command gave, if there was one.
pub(crate) async fn repeated<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let Some(event_id) = options.event_id else { return Ok(None) };
    let statement = event_by_id(M::place(&record.value), event_id, Some(&record.value));
    let rows = driver.load::<EventOf<M>>(statement).await.map_err(|error| record.failed(error))?;
    match rows.into_iter().next() {
        Some(row) => first_result(driver, record, &row.event).await.map(Some),
        None => Ok(None),
    }
}

/// The record as an event left it (for a delete: as it found it).
pub(crate) async fn first_result<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    event: &StoredEvent,
) -> Result<Recorded<M>, Error> {
    let at = |revision| Until { revision: Some(revision), ..Until::default() };
    let mut state = replay(driver, record, at(event.revision)).await?.into_state();
    if let State::Deleted { .. } = state {
        state = replay(driver, record, at(event.revision.saturating_sub(1))).await?.into_state();
    }
    let live = state.live().ok_or_else(|| Error::NotFound { record: record.name() })?;
    Ok(Recorded {
        record: live,
        event_id: event.id,
        revision: event.revision,
        position: event.position,
        txid: event.txid,
    })
}
