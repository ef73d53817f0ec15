//! Decides how the deliveries of a part are batched, and what follows from a batch that was not done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evented_diesel::Error;
use evented_diesel::spi::EventedBackend;

use crate::backoff::Retry;
use crate::batch::{Aside, Done, Ends, run};
use crate::call::perform;
use crate::due::{settle, try_again};
use crate::failure::{Failure, Verdict};
use crate::item::{Item, Work};
use crate::key::OrderKey;
use crate::lend::Lend;
use crate::outcome::Outcome;
use crate::part::{Part, Undone};
use crate::store::{self, DeferredRow, Keyed, State, load, write};
use crate::subscriber::Subscriber;

/// How many events one transaction handles at first, and how many are run alone after a death. If the event that ended the
/// process comes later, another process dies, and the ones before it are done by then.
const EVENTS_PER_BATCH: usize = 100;
/// The most events that one transaction handles, while the part lags and its handlers are fast. A batch holds locks, and
/// holds back the readers of all logs.
pub(crate) const MOST_EVENTS_PER_BATCH: usize = 1_000;
/// How long a batch should take at most.
const LONGEST_BATCH: Duration = Duration::from_millis(50);
/// How often a delivery is tried again at once after a conflict with another transaction.
pub(crate) const CONFLICTS: u32 = 3;
/// How many deliveries must fail in a row, with none that succeeds, so that the cause is something that they share.
pub(crate) const OUTAGE: u32 = 16;
/// How often a connection may be lost in a row.
const LOST: u32 = 10;
/// How often a delivery may end its process.
const MOST_BEGUN: i32 = 3;

/// What is known about the deliveries of a part from its last batches.
#[derive(Debug)]
pub(crate) struct Batching {
    /// How many events the next batch has.
    events: usize,
    /// How many events a batch has at most.
    most: usize,
    /// The deliveries of the next event that failed alone.
    aside: Vec<Aside>,
    conflicts: u32,
    /// How often the connection was lost in a row while the next event was run alone.
    lost_in_a_row: u32,
    failed_in_a_row: u32,
    /// How often the next event was tried during an outage.
    outage_rounds: u32,
    /// How many events are run alone, each marked before, because the last owner of the part died.
    alone: usize,
    /// The event that the last owner tried alone, and how often it was begun and never ended.
    marked: Option<(String, i32)>,
    /// A delivery that was tried again and failed, before this is stored.
    failed_again: Option<(DeferredRow, Failure)>,
}

impl Batching {
    pub(crate) fn new() -> Self {
        Self {
            events: EVENTS_PER_BATCH,
            most: MOST_EVENTS_PER_BATCH,
            aside: Vec::new(),
            conflicts: 0,
            lost_in_a_row: 0,
            failed_in_a_row: 0,
            outage_rounds: 0,
            alone: 0,
            marked: None,
            failed_again: None,
        }
    }

    /// Each event is run alone.
    #[cfg(feature = "testing")]
    pub(crate) fn one_by_one() -> Self {
        Self { events: 1, most: 1, ..Self::new() }
    }

    /// Returns whether the next event is run alone because the last owner of the part died.
    pub(crate) fn runs_alone(&self) -> bool {
        self.alone > 0
    }

    /// Counts that the connection was lost. Returns whether that happened so often that the handler of the event must be the
    /// cause.
    fn is_lost_too_often(&mut self, error: &Error) -> bool {
        if self.events > 1 || error.is_retryable() {
            return false;
        }
        self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
        self.lost_in_a_row > LOST
    }

    /// The part was taken from an owner that died. `marked` is the event that it had marked.
    pub(crate) fn after_death(marked: Option<String>, begun: i32) -> Self {
        let marked = marked.map(|event| (event, begun));
        Self { alone: EVENTS_PER_BATCH, events: 1, marked, ..Self::new() }
    }
}

/// What the caller does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// So many deliveries are done: handled, or set aside. `handled` of them were handled.
    Took { taken: usize, handled: usize, set_aside: usize },
    /// Nothing is done: again, after this time.
    Again(Duration),
    /// The connection is of no further use: again, on another one.
    Reconnect(String),
    /// The part belongs to somebody else.
    Lost,
}

/// Handles the next deliveries of a part.
pub(crate) async fn step<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    queue: &[Arc<Item<E::Conn>>],
    batching: &mut Batching,
) -> Next {
    let items = first_events(queue, batching.events);
    let Some(first) = items.first() else { return Next::Took { taken: 0, handled: 0, set_aside: 0 } };
    let part = Part { marked: batching.alone > 0, ..part };
    if part.marked {
        let mark = mark_of(part, first);
        if let Err(next) = begin_alone(executor, subscriber, part, &mark, items, batching).await {
            return next;
        }
    }
    let began = Instant::now();
    let done = if subscriber.has_effects {
        effects(executor, subscriber, part, items, &batching.aside).await
    } else {
        run(executor, subscriber, part, items, Ends::Open(&batching.aside)).await
    };
    match done {
        Ok(done) => {
            succeeded(done.handled > 0, began.elapsed(), batching);
            Next::Took { taken: items.len(), handled: done.handled, set_aside: done.set_aside }
        }
        Err(Undone::Failed { index, failure, broken }) => {
            let wait = failed(subscriber, (index, items.len()), failure, batching);
            if broken {
                Next::Reconnect("a handler broke its connection".to_owned())
            } else {
                Next::Again(wait)
            }
        }
        Err(Undone::Database(error)) if batching.is_lost_too_often(&error) => {
            let reason = error.to_string();
            failed(subscriber, (None, items.len()), Failure::from(error), batching);
            Next::Reconnect(reason)
        }
        Err(other) => {
            batching.events = 1;
            undone(other)
        }
    }
}

/// Runs the effects of deliveries one after the other, and then stores how they ended: in a test, and after the last owner of the
/// part died.
async fn effects<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    items: &[Arc<Item<E::Conn>>],
    aside: &[Aside],
) -> Result<Done, Undone> {
    let keys = load::<Keyed, _, _>(executor, store::waiting_keys(&subscriber.name, part.number)).await?;
    let mut waiting: Vec<OrderKey> = keys.into_iter().map(|key| key.0).collect();
    let mut outcomes = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let known = aside.iter().find(|aside| aside.index == index).map(|aside| aside.failure.copy());
        let outcome = match (known, &item.work) {
            (_, Work::Unreadable { .. }) => Outcome::Unread,
            _ if waiting.contains(&item.key) => Outcome::Behind,
            (Some(failure), _) => Outcome::Failed(failure),
            (None, _) => match perform::<DB, E>(subscriber, item, 1).await {
                Ok(()) => Outcome::Done,
                Err(failure) => Outcome::Failed(failure),
            },
        };
        if outcome.next_state(subscriber).is_some_and(|state| state != State::Passed) {
            waiting.push(item.key.clone());
        }
        outcomes.push(outcome);
    }
    run(executor, subscriber, part, items, Ends::Known(&outcomes)).await
}

/// Tries a delivery again that was set aside.
pub(crate) async fn step_due<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
    batching: &mut Batching,
) -> Next {
    let part = Part { marked: batching.alone > 0, ..part };
    if let Some(next) = settle_failed(executor, subscriber, part, batching).await {
        return next;
    }
    if part.marked {
        let mark = format!("{}/{}/{}", row.stream, row.offset.txid, row.offset.position);
        if begun_before(&mark, batching) >= MOST_BEGUN {
            batching.failed_again = Some((row.clone(), Failure::dead(KILLED)));
            return settle_failed(executor, subscriber, part, batching)
                .await
                .unwrap_or(Next::Again(Duration::ZERO));
        }
        if let Err(next) = store_mark(executor, subscriber, part, &mark, batching).await {
            return next;
        }
    }
    match try_again(executor, subscriber, part, row).await {
        Ok(handled) => {
            succeeded(handled, Duration::ZERO, batching);
            Next::Took { taken: 1, handled: usize::from(handled), set_aside: 0 }
        }
        Err(Undone::Failed { failure, broken, .. }) => {
            if failure.verdict == Verdict::Conflict && batching.conflicts < CONFLICTS {
                batching.conflicts += 1;
                return Next::Again(jitter(batching.conflicts));
            }
            batching.conflicts = 0;
            batching.failed_again = Some((row.clone(), failure));
            if broken {
                return Next::Reconnect("a handler broke its connection".to_owned());
            }
            settle_failed(executor, subscriber, part, batching).await.unwrap_or(Next::Again(Duration::ZERO))
        }
        Err(other) => undone(other),
    }
}

/// Stores that a delivery failed again, if one did.
async fn settle_failed<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    batching: &mut Batching,
) -> Option<Next> {
    let (row, failure) = batching.failed_again.take()?;
    match settle(executor, subscriber, part, &row, &failure).await {
        Ok(()) => Some(Next::Took { taken: 1, handled: 0, set_aside: 1 }),
        Err(other) => {
            batching.failed_again = Some((row, failure));
            Some(undone(other))
        }
    }
}

const KILLED: &str = "its handler has ended the process three times";

fn mark_of<C>(part: Part<'_>, item: &Item<C>) -> String {
    let stream = part.streams.get(item.stream).map(String::as_str).unwrap_or_default();
    format!("{stream}/{}/{}", item.offset.txid, item.offset.position)
}

fn begun_before(mark: &str, batching: &Batching) -> i32 {
    batching.marked.as_ref().filter(|(event, _)| event == mark).map_or(0, |(_, begun)| *begun)
}

/// Marks the next event before it is run alone. If it has ended the process often enough, its deliveries are set aside.
async fn begin_alone<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    mark: &str,
    items: &[Arc<Item<E::Conn>>],
    batching: &mut Batching,
) -> Result<(), Next> {
    if begun_before(mark, batching) >= MOST_BEGUN && batching.aside.is_empty() {
        batching.aside =
            (0..items.len()).map(|index| Aside { index, failure: Failure::dead(KILLED) }).collect();
    }
    store_mark(executor, subscriber, part, mark, batching).await
}

async fn store_mark<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    mark: &str,
    batching: &Batching,
) -> Result<(), Next> {
    let Some((_, fence)) = part.owner else { return Ok(()) };
    // Counted when it begins: a worker that dies before it has come to the event says nothing about it.
    let begun = begun_before(mark, batching).saturating_add(1);
    let statement = store::mark_event(&subscriber.name, part.number, fence, Some(mark), begun);
    match write(executor, statement).await {
        Ok(0) => Err(Next::Lost),
        Ok(_) => Ok(()),
        Err(error) => Err(undone(Undone::Database(error))),
    }
}

/// A batch was done in this time. The next one is larger, or smaller if it took long.
fn succeeded(is_success: bool, took: Duration, batching: &mut Batching) {
    batching.aside.clear();
    (batching.conflicts, batching.lost_in_a_row, batching.outage_rounds) = (0, 0, 0);
    if is_success {
        batching.failed_in_a_row = 0;
    }
    if batching.alone > 0 {
        batching.alone -= 1;
        batching.marked = None;
        return;
    }
    if took > LONGEST_BATCH {
        batching.events = (batching.events / 2).max(1);
    } else if took < LONGEST_BATCH / 2 {
        batching.events = (batching.events * 2).min(batching.most);
    }
}

/// A handler failed. Returns how long to wait before the next batch.
fn failed<C>(
    subscriber: &Subscriber<C>,
    (index, items): (Option<usize>, usize),
    failure: Failure,
    batching: &mut Batching,
) -> Duration {
    if batching.events > 1 {
        // Run alone, each event shows whether it is the cause.
        batching.events = 1;
        return Duration::ZERO;
    }
    if failure.verdict == Verdict::Conflict && batching.conflicts < CONFLICTS {
        batching.conflicts += 1;
        return jitter(batching.conflicts);
    }
    batching.conflicts = 0;
    if matches!(failure.verdict, Verdict::Retry | Verdict::Conflict) {
        batching.failed_in_a_row = batching.failed_in_a_row.saturating_add(1);
        // In an outage the part waits, instead of setting everything aside. It slows down, and does not stop for ever.
        if batching.failed_in_a_row > OUTAGE && batching.outage_rounds < CONFLICTS {
            batching.outage_rounds += 1;
            return subscriber.retry.pause_after(batching.outage_rounds).unwrap_or(Duration::from_secs(1));
        }
        batching.outage_rounds = 0;
    }
    match index {
        Some(index) => batching.aside.push(Aside { index, failure }),
        // Which of the event's deliveries is the cause is not known.
        None => batching.aside = (0..items).map(|index| Aside { index, failure: failure.copy() }).collect(),
    }
    Duration::ZERO
}

/// Returns a short pause that differs from worker to worker.
fn jitter(round: u32) -> Duration {
    Retry::exponential(Duration::from_millis(5), Duration::from_millis(50))
        .attempts(u32::MAX)
        .pause_after(round)
        .unwrap_or(Duration::from_millis(5))
}

/// The time after which a part is tried again whose lock somebody else holds.
const LOCKED: Duration = Duration::from_millis(20);

/// Returns what follows from a transaction that was not done.
pub(crate) fn undone(undone: Undone) -> Next {
    match undone {
        Undone::Lost => Next::Lost,
        Undone::Locked => Next::Again(LOCKED),
        Undone::Database(error) if error.is_retryable() => Next::Again(jitter(1)),
        Undone::Database(error) => Next::Reconnect(error.to_string()),
        Undone::Failed { failure, .. } => Next::Reconnect(failure.to_string()),
    }
}

/// Returns the deliveries of the first events of a queue.
fn first_events<C>(queue: &[Arc<Item<C>>], events: usize) -> &[Arc<Item<C>>] {
    let mut count = 0;
    let mut before: Option<&Arc<Item<C>>> = None;
    for (index, item) in queue.iter().enumerate() {
        if !before.is_some_and(|before| before.is_of_same_event(item)) {
            if count == events {
                return queue.get(..index).unwrap_or(queue);
            }
            count += 1;
        }
        before = Some(item);
    }
    queue
}
