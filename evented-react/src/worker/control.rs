//! The loop that keeps a worker alive in the database, and takes and gives back parts.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use evented_diesel::Error;
use evented_diesel::spi::{DELAYED_CHUNK, EventedBackend, Executor, Statement, Transaction, publish_due_of};
use evented_feed::spi::{Connector, Pace};
use uuid::Uuid;

use crate::divide::forget_earlier;
use crate::division::Division;
use crate::lend::Lend;
#[cfg(feature = "cron")]
use crate::run_schedules::run_schedule;
use crate::step::Batching;
use crate::store::{
    self, CursorRow, LiveRow, Nothing, PartRow, Patience, SubscriberRow, load, lock_part, subject, write,
};
use crate::tail::Place;
use crate::worker::connection::Link;
use crate::worker::flights::Flights;
#[cfg(feature = "metrics")]
use crate::worker::gauges::Gauges;
use crate::worker::owned_part::{OwnedPart, OwnedPartId};
use crate::worker::shared::{LoopGuard, Served, Shared};
use crate::worker::stall::check_home;

/// The longest time between two beats.
const LONGEST_BEAT: Duration = Duration::from_secs(1);
/// How many milliseconds the loop waits at most for transactions of the application that hold up delayed events.
const PATIENCE: i64 = 500;
/// After how many leases a worker that is not seen is forgotten.
const FORGOTTEN: i64 = 20;

/// Runs until the worker stops, and its parts are given back.
pub(super) async fn run<DB, K, P>(shared: &Shared<<K::Executor as Lend<DB>>::Conn>, mut link: Link<DB, K, P>)
where
    DB: EventedBackend,
    K: Connector<DB, Executor: Lend<DB>>,
    P: Pace,
{
    let _guard = LoopGuard(shared);
    let beat = (shared.lease / 5).min(LONGEST_BEAT);
    #[cfg(feature = "metrics")]
    let mut gauges = Gauges::new();
    loop {
        let control = shared.listen_for_control();
        let began = Instant::now();
        // A worker that stops and has no connection cannot give its parts back: they are free after the lease.
        let Some(executor) = link.executor(shared).await else { return };
        let done = if shared.is_stopping() {
            leave(executor, shared).await
        } else {
            one_beat(executor, shared).await
        };
        match done {
            Ok(true) => return,
            Ok(false) => {
                #[cfg(feature = "metrics")]
                {
                    let reported = gauges.report(executor, shared).await;
                    if let Err(error) = noted(executor, shared, reported).await {
                        link.lose(shared, &error.to_string());
                        continue;
                    }
                }
                link.works();
                let wait = beat.saturating_sub(began.elapsed());
                link.pace.wait_for(control, wait).await;
            }
            Err(error) => link.lose(shared, &error.to_string()),
        }
    }
}

/// Gives back the parts that no runner works on. Returns whether that is all of them.
async fn leave<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<bool, Error> {
    for owned in &mut shared.state().owned_parts {
        owned.is_leaving = true;
    }
    give_back(executor, shared).await?;
    if shared.runners.load(Ordering::SeqCst) == 0 {
        // Nobody stores how effects ended. The parts are free after the lease.
        shared.state().owned_parts.clear();
    }
    if !shared.state().owned_parts.is_empty() {
        // Effects that run may take long: nobody takes their parts meanwhile.
        be_seen(executor, shared).await?;
        return Ok(false);
    }
    write(executor, store::remove_worker(shared.id)).await?;
    Ok(true)
}

async fn one_beat<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<bool, Error> {
    be_seen(executor, shared).await?;
    for (index, served) in shared.served.iter().enumerate() {
        divide(executor, shared, index, served).await?;
    }
    give_back(executor, shared).await?;
    publish_what_is_due(executor, shared).await?;
    write(executor, store::sweep(FORGOTTEN * lease_millis(shared))).await?;
    Ok(false)
}

/// Publishes delayed events, and those of schedules. An event that cannot be published holds up nothing but delayed events of its bus.
/// A copy of the database publishes nothing until its subscribers are adopted.
async fn publish_what_is_due<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<(), Error> {
    if shared.state().in_copy.contains(&true) {
        return Ok(());
    }
    let buses = i64::try_from(shared.buses.len().max(1)).unwrap_or(i64::MAX);
    let patience = (PATIENCE.min(lease_millis(shared) / 4) / buses).max(1);
    #[cfg(feature = "cron")]
    for schedule in &shared.schedules {
        let published = run_schedule(executor, schedule).await;
        noted(executor, shared, published).await?;
    }
    for bus in &shared.buses {
        let published = publish_due_of(executor, bus, None, Some(patience)).await;
        if noted(executor, shared, published).await? == Some(DELAYED_CHUNK) {
            // There may be more. The worker is seen in between.
            shared.announce_control();
        }
    }
    Ok(())
}

/// Reports an error, and goes on if the connection still answers.
async fn noted<T, DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    result: Result<T, Error>,
) -> Result<Option<T>, Error> {
    let error = match result {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    load::<Nothing, _, _>(executor, Statement::new("SELECT 1")).await?;
    shared.failed(&error.to_string());
    Ok(None)
}

/// Stores that the worker lives.
async fn be_seen<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<(), Error> {
    let began = Instant::now();
    let pid = i64::from(std::process::id());
    let host = host();
    for served in &shared.served {
        let subscriber = &served.subscriber;
        let row = store::insert_worker(shared.id, &subscriber.name, subscriber.version, &host, pid);
        write(executor, row).await?;
    }
    // When it began: the database has seen the worker later than that.
    let late = shared.state().last_beat.replace(began).is_some_and(|last| last + shared.lease < began);
    if late {
        shared.announce_work();
    }
    Ok(())
}

fn lease_millis<C>(shared: &Shared<C>) -> i64 {
    i64::try_from(shared.lease.as_millis()).unwrap_or(i64::MAX / 100)
}

/// Returns the name of this machine, for people.
fn host() -> String {
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let from_file = || std::fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned());
    name.or_else(from_file).unwrap_or_default()
}

/// Takes and gives back parts of a subscriber, so that each worker that lives has as many as the others.
async fn divide<DB: EventedBackend, E: Executor<DB>, C>(
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
    let live =
        load::<LiveRow, _, _>(executor, store::live_workers(name, row.version, lease_millis(shared))).await?;
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
        Some(_) => part.unseen.is_none_or(|unseen| unseen > lease_millis(shared)),
    }
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
    let taken = take_locked(executor, shared, served, part).await;
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
    served: &Served<C>,
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
    // The subscriber may have a newer version since its row was read. Its parts are not for this worker then.
    let row = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
    if row.first().is_none_or(|row| row.version != served.subscriber.version) {
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
async fn give_back<DB: EventedBackend, E: Executor<DB>, C>(
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
