//! Tries deliveries again that were set aside, each in a transaction of its own.

use evented_core::LogOffset;
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, database_id};

use crate::batch::{Part, Undone, lock, next_state, roll_back, unmark};
use crate::call::call;
use crate::failure::Failure;
use crate::item::Item;
use crate::lend::Lend;
use crate::register::just_before;
use crate::store::{self, DeferredRow, State, failed, load, write};
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
    let item = find(executor, subscriber, part, row).await?;
    let depth = executor.depth().map_err(failed)?;
    executor.begin().await.map_err(failed)?;
    match in_transaction(executor, subscriber, part, row, item.as_ref(), depth + 1).await {
        Ok(done) => {
            executor.commit().await.map_err(failed)?;
            Ok(done)
        }
        Err(undone) => Err(roll_back(executor, depth, undone).await),
    }
}

async fn in_transaction<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
    item: Option<&Item<E::Conn>>,
    depth: u32,
) -> Result<bool, Undone> {
    lock(executor, subscriber, part).await?;
    let name = subscriber.name.as_str();
    // Removed first: then the row is locked, and nobody skips it meanwhile.
    if write(executor, store::forget(name, row.part, row.number)).await? == 0 {
        return Ok(false);
    }
    // Without the item, the subscriber's filters no longer accept the event: there is nothing to do.
    if let Some(item) = item {
        let attempt = u32::try_from(row.attempts.saturating_add(1)).unwrap_or(u32::MAX);
        call(executor, subscriber, item, attempt, depth)
            .await
            .map_err(|(failure, broken)| Undone::Failed { index: 0, failure, broken })?;
    }
    write(executor, store::promote(name, row.part, &row.key)).await.map_err(|error| Undone::Failed {
        index: 0,
        failure: Failure::from(error),
        broken: false,
    })?;
    unmark(executor, name, part).await?;
    Ok(true)
}

/// Reads the event of a delivery from its log.
async fn find<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
) -> Result<Option<Item<E::Conn>>, Undone> {
    let Some(stream) = part.streams.iter().position(|stream| *stream == row.stream) else { return Ok(None) };
    let Some(log) = subscriber.logs().get(stream).copied() else { return Ok(None) };
    let database = database_id(executor, log.name).await?;
    let offset: LogOffset = just_before(row.offset);
    let place = Place { offset, anchor: 0, epoch: database.cast_signed() };
    let Some(mut tail) = Tail::new(subscriber, stream, database, place) else { return Ok(None) };
    let read = tail.read(executor, None, 1).await?;
    let is_it =
        |item: &Item<E::Conn>| item.offset == row.offset && item.input == row.input && item.key == row.key;
    Ok(read.items.into_iter().find(is_it))
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
    lock(executor, subscriber, part).await?;
    let name = subscriber.name.as_str();
    unmark(executor, name, part).await?;
    let error = Some(failure.to_string());
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
                write(executor, store::promote(name, row.part, &row.key)).await?;
            }
        }
        None => {
            write(executor, store::forget(name, row.part, row.number)).await?;
            write(executor, store::promote(name, row.part, &row.key)).await?;
        }
    }
    Ok(())
}
