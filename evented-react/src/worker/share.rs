//! Takes and gives back parts, so that each worker that lives has its share of them.

use std::time::Instant;

use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Transaction};
use uuid::Uuid;

use crate::divide::forget_earlier;
use crate::division::Division;
use crate::step::Batching;
use crate::store::{
    self, CursorRow, LiveRow, PartRow, Patience, SubscriberRow, load, lock_part, subject, write,
};
use crate::tail::Place;
use crate::worker::flights::Flights;
use crate::worker::owned_part::{OwnedPart, OwnedPartId};
use crate::worker::shared::{Served, Shared};
use crate::worker::stall::check_home;

/// Takes and gives back parts of a subscriber, so that each worker that lives has as many as the others.
pub(super) async fn divide<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    index: usize,
    served: &Served<C>,
) -> Result<(), Error> {
    let name = served.subscriber.name.as_str();
    let row = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
    // A newer version fences this one out, and a subscriber that was removed has no parts.
    let row = row.into_iter().next().filter(|row| row.version == served.subscriber.version);
    let Some(row) = row else {
        shared.state().owned_parts.retain(|owned| owned.id.subscriber != index);
        return Ok(());
    };
    {
        let mut state = shared.state();
        if let Some(paused) = state.paused.get_mut(index) {
            *paused = row.paused;
        }
        // The subscriber was resized: its parts are taken again.
        state
            .owned_parts
            .retain(|owned| owned.id.subscriber != index || owned.division == row.division.number);
        if let Some(division) = state.divisions.get_mut(index) {
            *division = Some(row.division.clone());
        }
        if state.stalled.get(index).is_some_and(Option::is_some) {
            return Ok(());
        }
    }
    if !check_home(executor, shared, (index, served), &row).await? {
        return Ok(());
    }
    forget_earlier(executor, name, &row.division).await?;
    let parts = load::<PartRow, _, _>(executor, store::part_rows(name)).await?;
    let live = load::<LiveRow, _, _>(executor, store::live_workers(name, row.version, shared.lease_millis()))
        .await?;
    let mine = keep(shared, index, &parts);
    let share = parts.len().div_ceil(live.len().max(1));
    if mine.len() > share {
        let mut state = shared.state();
        for id in mine.iter().skip(share) {
            if let Some(owned) = state.owned(*id) {
                owned.is_leaving = true;
            }
        }
    }
    let mut wanted = share.saturating_sub(mine.len());
    for part in spread(&parts, shared.id) {
        if wanted == 0 {
            break;
        }
        if is_free(shared, index, part)
            && take(executor, shared, (index, &row.division), served, part).await?
        {
            wanted -= 1;
        }
    }
    if wanted == 0 {
        free_dropped(executor, shared, index, name, &parts).await?;
    }
    due(executor, shared, index, name).await
}

/// Returns whether a part has no owner that lives. A part of this worker that it does not work on is free, too: it was
/// dropped because the log could not be read.
fn is_free<C>(shared: &Shared<C>, index: usize, part: &PartRow) -> bool {
    match part.owner {
        None => true,
        Some(owner) if owner == shared.id => {
            let state = shared.state();
            !state.owned_parts.iter().any(|owned| (owned.id.subscriber, owned.id.part) == (index, part.part))
        }
        Some(_) => part.unseen.is_none_or(|unseen| unseen > shared.lease_millis()),
    }
}

/// Frees the parts that are stored as this worker's, that it has dropped, and that are more than its share. Nobody else takes
/// them while this worker lives.
async fn free_dropped<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    index: usize,
    name: &str,
    parts: &[PartRow],
) -> Result<(), Error> {
    for part in parts.iter().filter(|part| part.owner == Some(shared.id)) {
        if is_free(shared, index, part) {
            write(executor, store::free_part(name, part.part, shared.id, part.fence)).await?;
        }
    }
    Ok(())
}

/// Returns the parts in an order that differs from worker to worker, so that they do not all try the same one.
fn spread(parts: &[PartRow], worker: Uuid) -> impl Iterator<Item = &PartRow> {
    let count = u64::try_from(parts.len().max(1)).unwrap_or(1);
    let first = usize::try_from(worker.as_u64_pair().0 % count).unwrap_or(0);
    parts.iter().skip(first).chain(parts.iter().take(first))
}

/// Drops the parts that belong to somebody else now, and returns those that this worker owns.
fn keep<C>(shared: &Shared<C>, index: usize, parts: &[PartRow]) -> Vec<OwnedPartId> {
    let mut state = shared.state();
    state.owned_parts.retain(|owned| {
        let is_mine = |part: &PartRow| {
            (part.part, part.fence, part.owner) == (owned.id.part, owned.id.fence, Some(shared.id))
        };
        owned.id.subscriber != index || parts.iter().any(is_mine)
    });
    let of_subscriber =
        state.owned_parts.iter().filter(|owned| owned.id.subscriber == index && !owned.is_leaving);
    of_subscriber.map(|owned| owned.id).collect()
}

/// Takes a part. Returns whether it is this worker's now.
async fn take<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    (index, division): (usize, &Division),
    served: &Served<C>,
    part: &PartRow,
) -> Result<bool, Error> {
    let name = subject(&served.subscriber.name);
    let transaction = Transaction::around(executor, &name, true).await?;
    let taken = take_locked(executor, shared, (division, served), part).await;
    let Some(cursors) = transaction.close(executor, &name, taken).await? else { return Ok(false) };
    let batching = match part.owner {
        // A derived table runs no code of the user's that could end a process.
        Some(owner) if owner != shared.id && served.subscriber.table.is_none() => {
            Batching::after_death(part.marked.clone(), part.begun)
        }
        _ => Batching::new(),
    };
    if part.owner.is_some_and(|owner| owner != shared.id) {
        crate::telemetry::taken_over(&served.subscriber.name, part.part);
    }
    let id = OwnedPartId { subscriber: index, part: part.part, fence: part.fence + 1 };
    let subscriber = &served.subscriber;
    let flights = subscriber.has_effects.then(|| {
        let share = subscriber.share_of_part(part.part, division.parts);
        Flights::new(share, subscriber.distance_of_part(division.parts))
    });
    let owned = OwnedPart::new(id, division.number, cursors, batching, flights);
    shared.state().owned_parts.push(owned);
    shared.announce_reading();
    shared.announce_work();
    Ok(true)
}

async fn take_locked<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    (division, served): (&Division, &Served<C>),
    part: &PartRow,
) -> Result<Option<Vec<Place>>, Error> {
    let name = served.subscriber.name.as_str();
    // An owner that is slow in a transaction that lives keeps its part.
    if !lock_part(executor, name, part.part, Patience::None).await? {
        return Ok(None);
    }
    let cursors = load::<CursorRow, _, _>(executor, store::cursors_of(name, Some(part.part))).await?;
    let of_stream = |stream: &String| cursors.iter().find(|cursor| cursor.stream == *stream).map(Place::from);
    let Some(places) = served.streams.iter().map(of_stream).collect() else {
        shared.failed(&format!("`{name}` has no cursor in one of its logs"));
        return Ok(None);
    };
    // The subscriber may have a newer version since its row was read, and its parts are not for this worker then. Or it was
    // resized, and they are those of another division.
    let row = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
    let is_current = |row: &SubscriberRow| {
        row.version == served.subscriber.version && row.division.number == division.number
    };
    if !row.first().is_some_and(is_current) {
        return Ok(None);
    }
    let take = store::take_part(name, part.part, shared.id, part.fence);
    if write(executor, take).await? == 0 {
        return Ok(None);
    }
    write(executor, store::revive_unreadable(name, part.part)).await?;
    write(executor, store::promote(name, part.part, None)).await?;
    Ok(Some(places))
}

/// Gives back the parts that leave and that no runner works on.
pub(super) async fn give_back<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<(), Error> {
    let leaving: Vec<OwnedPartId> = {
        let mut state = shared.state();
        let leaves = |owned: &OwnedPart<C>| owned.is_leaving && owned.is_idle() && owned.is_settled();
        let leaving = state.owned_parts.iter().filter(|owned| leaves(owned)).map(|owned| owned.id).collect();
        state.owned_parts.retain(|owned| !leaves(owned));
        leaving
    };
    for id in leaving {
        let Some(served) = shared.served.get(id.subscriber) else { continue };
        let free = store::free_part(&served.subscriber.name, id.part, shared.id, id.fence);
        write(executor, free).await?;
    }
    Ok(())
}

/// Looks which parts have deliveries that are due again: an operator may have said so.
async fn due<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    index: usize,
    name: &str,
) -> Result<(), Error> {
    let parts = load::<store::DuePart, _, _>(executor, store::due_parts(name)).await?;
    let mut state = shared.state();
    let now = Instant::now();
    let mut any = false;
    for owned in state.owned_parts.iter_mut().filter(|owned| owned.id.subscriber == index) {
        if parts.iter().any(|part| part.0 == owned.id.part) {
            owned.due_at = Some(now);
            any = true;
        }
    }
    drop(state);
    if any {
        shared.announce_work();
    }
    Ok(())
}
