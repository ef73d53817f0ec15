//! Tries deliveries again that were set aside, each in a transaction of its own.

use std::sync::Arc;

use evented_core::LogOffset;
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, database_id, wake};

use crate::call::{call, perform};
use crate::division::Division;
use crate::failure::Failure;
use crate::item::{Item, Work};
use crate::lend::Lend;
use crate::next_state::next_state;
use crate::part::{Part, Undone, attribute, lock, roll_back, unmark};
use crate::register::just_before;
use crate::store::{self, DeferredRow, Keyed, LockedPart, Patience, State, failed, load, lock_part, write};
use crate::subscriber::Subscriber;
use crate::tail::{Place, Tail};
use crate::telemetry;

/// How many deliveries are read at once.
const ROWS: i64 = 16;

/// Reads the deliveries of a part whose time has come, and the milliseconds until that of the next one.
pub(crate) async fn due_now<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: i32,
) -> Result<(Vec<DeferredRow>, Option<i64>), Error> {
    let rows = load::<DeferredRow, _, _>(executor, store::due(&subscriber.name, part, ROWS)).await?;
    let is_due = |row: &DeferredRow| row.due_in.is_some_and(|time| time <= 0);
    let next = rows.iter().find(|row| !is_due(row)).and_then(|row| row.due_in);
    Ok((rows.into_iter().filter(is_due).collect(), next))
}

/// Tries a delivery again. Returns whether it was handled; `false` if somebody else has changed it.
pub(crate) async fn try_again<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
) -> Result<bool, Undone> {
    let items = find(executor, subscriber, part, row).await?;
    if subscriber.has_effects {
        let rows = store::locked_part(&subscriber.name, part.number);
        let rows = load::<LockedPart, _, _>(executor, rows).await?;
        let Some(LockedPart { division, .. }) = rows.into_iter().next() else { return Err(Undone::Lost) };
        let attempt = u32::try_from(row.attempts.saturating_add(1)).unwrap_or(u32::MAX);
        let to_run = items.iter().filter(|item| item.key == row.key);
        for item in to_run.filter(|item| !is_of_another_part(&division, row, item)) {
            perform::<DB, E>(subscriber, item, attempt).await.map_err(|failure| Undone::Failed {
                index: None,
                failure,
                broken: false,
            })?;
        }
    }
    finish(executor, subscriber, part, row, &items).await
}

/// Handles a delivery that was set aside, and removes it there. An effect ran before. Returns whether it was handled; `false` if
/// somebody else has changed it.
pub(crate) async fn finish<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
    items: &[Arc<Item<E::Conn>>],
) -> Result<bool, Undone> {
    let depth = executor.depth().map_err(failed)?;
    executor.begin().await.map_err(failed)?;
    let undone = match in_transaction(executor, subscriber, part, row, items, depth + 1).await {
        Ok(done) => match executor.commit().await {
            Ok(()) => {
                // The handler may have written events.
                if done && subscriber.table.is_none() && depth == 0 {
                    wake();
                }
                return Ok(done);
            }
            Err(error) => Undone::Database(failed(error)),
        },
        Err(undone) => undone,
    };
    let undone = roll_back(executor, depth, undone).await;
    Err(attribute(executor, undone).await)
}

async fn in_transaction<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
    items: &[Arc<Item<E::Conn>>],
    depth: u32,
) -> Result<bool, Undone> {
    let locked = lock(executor, subscriber, part, Patience::None).await?;
    let name = subscriber.name.as_str();
    // Removed first: then the row is locked, and nobody skips it meanwhile.
    if write(executor, store::forget(name, row.part, row.number)).await? == 0 {
        return Ok(false);
    }
    // Without an item, the subscriber's filters no longer accept the event: there is nothing to do.
    for item in items {
        if is_of_another_part(&locked.division, row, item) {
            continue;
        }
        if item.key == row.key || matches!(item.work, Work::Unreadable { .. }) {
            let attempt = u32::try_from(row.attempts.saturating_add(1)).unwrap_or(u32::MAX);
            let called = call(executor, subscriber, item, attempt, depth).await;
            called.map_err(|failed| failed.into_undone(Some(0)))?;
        } else {
            // The event could not be read, so its own key was not known. It lines up there.
            requeue(executor, subscriber, row, item, &locked.division).await?;
        }
    }
    write(executor, store::promote(name, row.part, Some(&row.key))).await?;
    unmark(executor, name, part).await?;
    Ok(true)
}

/// Returns whether another part has set the delivery aside, too, or comes to its event. While the key was not known, every part
/// that came to the event set it aside. The part of the key handles it.
pub(crate) fn is_of_another_part<C>(division: &Division, row: &DeferredRow, item: &Item<C>) -> bool {
    let Some((parts, part)) = row.origin.filter(|_| !item.is_anywhere()) else { return false };
    // Handled before a resize, which the row of an earlier part stands for.
    let is_earlier = parts == division.parts && division.is_handled(&item.key, &row.stream, row.offset);
    item.key.part(parts) != part || is_earlier
}

/// Sets a delivery aside under its own key, in the part of that key.
async fn requeue<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    row: &DeferredRow,
    item: &Item<E::Conn>,
    division: &Division,
) -> Result<(), Undone> {
    let (name, part) = (subscriber.name.as_str(), division.part(&item.key));
    // Not waited for: the transaction has the lock of one part, and two that wait for the part of the other would wait for ever.
    if part != row.part && !lock_part(executor, name, part, Patience::None).await? {
        return Err(Undone::Locked);
    }
    let waiting = load::<Keyed, _, _>(executor, store::waiting_keys(name, part)).await?;
    let waits = waiting.iter().any(|key| key.0 == item.key);
    let (state, retry_in) = if waits { (State::Behind, None) } else { (State::Retry, Some(0)) };
    let moved = DeferredRow { part, key: item.key.clone(), state, origin: None, ..row.clone() };
    write(executor, store::defer(name, &moved, retry_in)).await?;
    Ok(())
}

/// Reads the event of a delivery from its log. A readable event can have deliveries under other keys than the one under
/// which it was set aside when it could not be read.
pub(crate) async fn find<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
) -> Result<Vec<Arc<Item<E::Conn>>>, Undone> {
    let Some(stream) = part.streams.iter().position(|stream| *stream == row.stream) else {
        return Ok(Vec::new());
    };
    let Some(log) = subscriber.logs().get(stream).copied() else { return Ok(Vec::new()) };
    let database = database_id(executor, log.name).await?;
    let offset: LogOffset = just_before(row.offset);
    let place = Place { offset, anchor: 0 };
    let Some(mut tail) = Tail::new(subscriber, stream, database, place) else { return Ok(Vec::new()) };
    let read = tail.read(executor, None, 1).await?;
    if read.to.offset != row.offset {
        let failure = Failure::dead("its event is no longer in the log");
        return Err(Undone::Failed { index: None, failure, broken: false });
    }
    let mut items = read.items;
    items.retain(|item| item.offset == row.offset && item.input == row.input);
    if row.state != State::Unreadable && items.iter().any(|item| item.key == row.key) {
        // One of the two rows of a move: the other one has a delivery of its own.
        items.retain(|item| item.key == row.key);
    }
    Ok(items.into_iter().map(Arc::new).collect())
}

/// Stores that a delivery failed again.
pub(crate) async fn settle<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
    failure: &Failure,
) -> Result<(), Undone> {
    let depth = executor.depth().map_err(failed)?;
    executor.begin().await.map_err(failed)?;
    match settled(executor, subscriber, part, row, failure).await {
        Ok(()) => Ok(executor.commit().await.map_err(failed)?),
        Err(undone) => Err(roll_back(executor, depth, undone).await),
    }
}

async fn settled<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
    failure: &Failure,
) -> Result<(), Undone> {
    lock(executor, subscriber, part, Patience::None).await?;
    let name = subscriber.name.as_str();
    unmark(executor, name, part).await?;
    let error = Some(failure.text());
    match next_state(subscriber, failure, row.attempts) {
        Some((State::Retry, attempts, retry_in)) => {
            let row = DeferredRow { attempts, error, ..row.clone() };
            write(executor, store::postpone(name, &row, retry_in.unwrap_or(0))).await?;
        }
        Some((state, attempts, _)) => {
            telemetry::dead(name, &row.key, error.as_deref().unwrap_or_default());
            let buried = DeferredRow { state, attempts, error, ..row.clone() };
            write(executor, store::bury(name, &buried)).await?;
            if state == State::Passed {
                write(executor, store::promote(name, row.part, Some(&row.key))).await?;
            }
        }
        None => {
            write(executor, store::forget(name, row.part, row.number)).await?;
            write(executor, store::promote(name, row.part, Some(&row.key))).await?;
        }
    }
    Ok(())
}
