//! Decides how the deliveries of a part are batched, and what follows from a batch that was not done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evented_diesel::Error;
use evented_diesel::spi::EventedBackend;

use crate::backoff::Retry;
use crate::batch::{Aside, Part, Undone, run};
use crate::due::{settle, try_again};
use crate::failure::{Failure, Verdict};
use crate::item::Item;
use crate::lend::Lend;
use crate::store::{self, DeferredRow, write};
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
const CONFLICTS: u32 = 3;
/// How many deliveries must fail in a row, with none that succeeds, so that something else than them is to blame.
const OUTAGE: u32 = 16;
/// After how many batches without a conflict they may be larger.
const CALM: u32 = 100;
/// How often a connection may be lost in a row.
const LOST: u32 = 10;
/// How often a delivery may end its process.
const STRIKES: i32 = 3;

/// What is known about the deliveries of a part from its last batches.
#[derive(Debug)]
pub(crate) struct Pace {
    /// How many events the next batch has.
    events: usize,
    /// How many events a batch has at most: fewer after a conflict with another transaction.
    most: usize,
    /// How many batches were done since the last conflict, or since `most` has grown.
    calm: u32,
    /// The deliveries of the next event that failed alone.
    aside: Vec<Aside>,
    conflicts: u32,
    /// How often the connection was lost in a row while the next event was run alone.
    lost_in_a_row: u32,
    failed_in_a_row: u32,
    /// How often the next event was tried during an outage.
    outage_rounds: u32,
    /// How many events are run alone, each marked before, because the last owner of the part died.
    suspects: usize,
    /// The event that the last owner tried alone, and how often it was begun and never ended.
    struck: Option<(String, i32)>,
    /// A delivery that was tried again and failed, before this is stored.
    failed_again: Option<(DeferredRow, Failure)>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            events: EVENTS_PER_BATCH,
            most: MOST_EVENTS_PER_BATCH,
            calm: 0,
            aside: Vec::new(),
            conflicts: 0,
            lost_in_a_row: 0,
            failed_in_a_row: 0,
            outage_rounds: 0,
            suspects: 0,
            struck: None,
            failed_again: None,
        }
    }

    /// Each event is run alone.
    #[cfg(feature = "testing")]
    pub(crate) fn one_by_one() -> Self {
        Self { events: 1, most: 1, ..Self::new() }
    }

    /// Returns whether the next event is run alone because the last owner of the part died.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.suspects > 0
    }

    /// Counts that the connection was lost. Returns whether that happened so often that the event must be to blame: its
    /// handler ends its own connection.
    fn is_worn_out(&mut self, error: &Error) -> bool {
        if self.events > 1 || error.is_retryable() {
            return false;
        }
        self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
        self.lost_in_a_row > LOST
    }

    /// The part was taken from an owner that died. `trying` is the event that it had marked.
    pub(crate) fn after_death(trying: Option<String>, strikes: i32) -> Self {
        let struck = trying.map(|event| (event, strikes));
        Self { suspects: EVENTS_PER_BATCH, events: 1, struck, ..Self::new() }
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
    pace: &mut Pace,
) -> Next {
    let items = first_events(queue, pace.events);
    let Some(first) = items.first() else { return Next::Took { taken: 0, handled: 0, set_aside: 0 } };
    let part = Part { marked: pace.suspects > 0, ..part };
    if part.marked {
        let mark = mark_of(part, first);
        if let Err(next) = suspect(executor, subscriber, part, &mark, items, pace).await {
            return next;
        }
    }
    let began = Instant::now();
    match run(executor, subscriber, part, items, &pace.aside).await {
        Ok(done) => {
            succeeded(done.handled > 0, began.elapsed(), pace);
            Next::Took { taken: items.len(), handled: done.handled, set_aside: done.set_aside }
        }
        Err(Undone::Failed { index, failure, broken }) => {
            let wait = failed(subscriber, (index, items.len()), failure, pace);
            if broken {
                Next::Reconnect("a handler broke its connection".to_owned())
            } else {
                Next::Again(wait)
            }
        }
        Err(Undone::Database(error)) if pace.is_worn_out(&error) => {
            let reason = error.to_string();
            failed(subscriber, (None, items.len()), Failure::from(error), pace);
            Next::Reconnect(reason)
        }
        Err(other) => {
            pace.events = 1;
            undone(other)
        }
    }
}

/// Tries a delivery again that was set aside.
pub(crate) async fn step_due<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    row: &DeferredRow,
    pace: &mut Pace,
) -> Next {
    let part = Part { marked: pace.suspects > 0, ..part };
    if let Some(next) = settle_failed(executor, subscriber, part, pace).await {
        return next;
    }
    if part.marked {
        let mark = format!("{}/{}/{}", row.stream, row.offset.txid, row.offset.position);
        if strikes_of(&mark, pace) >= STRIKES {
            pace.failed_again = Some((row.clone(), Failure::dead(KILLED)));
            return settle_failed(executor, subscriber, part, pace)
                .await
                .unwrap_or(Next::Again(Duration::ZERO));
        }
        if let Err(next) = mark_suspect(executor, subscriber, part, &mark, pace).await {
            return next;
        }
    }
    match try_again(executor, subscriber, part, row).await {
        Ok(handled) => {
            succeeded(handled, Duration::ZERO, pace);
            Next::Took { taken: 1, handled: usize::from(handled), set_aside: 0 }
        }
        Err(Undone::Failed { failure, broken, .. }) => {
            if failure.verdict == Verdict::Conflict && pace.conflicts < CONFLICTS {
                pace.conflicts += 1;
                return Next::Again(jitter(pace.conflicts));
            }
            pace.conflicts = 0;
            pace.failed_again = Some((row.clone(), failure));
            if broken {
                return Next::Reconnect("a handler broke its connection".to_owned());
            }
            settle_failed(executor, subscriber, part, pace).await.unwrap_or(Next::Again(Duration::ZERO))
        }
        Err(other) => undone(other),
    }
}

/// Stores that a delivery failed again, if one did.
async fn settle_failed<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    pace: &mut Pace,
) -> Option<Next> {
    let (row, failure) = pace.failed_again.take()?;
    match settle(executor, subscriber, part, &row, &failure).await {
        Ok(()) => Some(Next::Took { taken: 1, handled: 0, set_aside: 1 }),
        Err(other) => {
            pace.failed_again = Some((row, failure));
            Some(undone(other))
        }
    }
}

const KILLED: &str = "its handler has ended the process three times";

fn mark_of<C>(part: Part<'_>, item: &Item<C>) -> String {
    let stream = part.streams.get(item.stream).map(String::as_str).unwrap_or_default();
    format!("{stream}/{}/{}", item.offset.txid, item.offset.position)
}

fn strikes_of(mark: &str, pace: &Pace) -> i32 {
    pace.struck.as_ref().filter(|(event, _)| event == mark).map_or(0, |(_, strikes)| *strikes)
}

/// Marks the next event before it is run alone. If it has ended the process often enough, its deliveries are set aside.
async fn suspect<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    mark: &str,
    items: &[Arc<Item<E::Conn>>],
    pace: &mut Pace,
) -> Result<(), Next> {
    if strikes_of(mark, pace) >= STRIKES && pace.aside.is_empty() {
        pace.aside = (0..items.len()).map(|index| Aside { index, failure: Failure::dead(KILLED) }).collect();
    }
    mark_suspect(executor, subscriber, part, mark, pace).await
}

async fn mark_suspect<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    mark: &str,
    pace: &Pace,
) -> Result<(), Next> {
    let Some((_, fence)) = part.owner else { return Ok(()) };
    // Counted when it begins: a worker that dies before it has come to the event says nothing about it.
    let strikes = strikes_of(mark, pace).saturating_add(1);
    let statement = store::try_event(&subscriber.name, part.number, fence, Some(mark), strikes);
    match write(executor, statement).await {
        Ok(0) => Err(Next::Lost),
        Ok(_) => Ok(()),
        Err(error) => Err(undone(Undone::Database(error))),
    }
}

/// A batch was done in this time. The next one is larger, or smaller if it took long.
fn succeeded(is_success: bool, took: Duration, pace: &mut Pace) {
    pace.aside.clear();
    (pace.conflicts, pace.lost_in_a_row, pace.outage_rounds) = (0, 0, 0);
    if is_success {
        pace.failed_in_a_row = 0;
    }
    if pace.suspects > 0 {
        pace.suspects -= 1;
        pace.struck = None;
        return;
    }
    pace.calm += 1;
    if pace.calm >= CALM && pace.most > 1 {
        pace.most = (pace.most * 2).min(MOST_EVENTS_PER_BATCH);
        pace.calm = 0;
    }
    if took > LONGEST_BATCH {
        pace.events = (pace.events / 2).max(1);
    } else if took < LONGEST_BATCH / 2 {
        pace.events = (pace.events * 2).min(pace.most);
    }
}

/// A handler failed. Returns how long to wait before the next batch.
fn failed<C>(
    subscriber: &Subscriber<C>,
    (index, items): (Option<usize>, usize),
    failure: Failure,
    pace: &mut Pace,
) -> Duration {
    if pace.events > 1 {
        if failure.verdict == Verdict::Conflict {
            // Handlers of other parts write the same rows: a deadlock takes the server a second to find.
            pace.most = (pace.events / 4).max(2);
            pace.calm = 0;
        }
        // Which delivery is to blame shows when each event is run alone.
        pace.events = 1;
        return Duration::ZERO;
    }
    if failure.verdict == Verdict::Conflict && pace.conflicts < CONFLICTS {
        pace.conflicts += 1;
        return jitter(pace.conflicts);
    }
    pace.conflicts = 0;
    if matches!(failure.verdict, Verdict::Retry | Verdict::Conflict) {
        pace.failed_in_a_row = pace.failed_in_a_row.saturating_add(1);
        // In an outage the part waits, instead of setting everything aside. It slows down, and does not stop for ever.
        if pace.failed_in_a_row > OUTAGE && pace.outage_rounds < CONFLICTS {
            pace.outage_rounds += 1;
            return subscriber.retry.pause_after(pace.outage_rounds).unwrap_or(Duration::from_secs(1));
        }
        pace.outage_rounds = 0;
    }
    match index {
        Some(index) => pace.aside.push(Aside { index, failure }),
        // Which of the event's deliveries is to blame is not known.
        None => pace.aside = (0..items).map(|index| Aside { index, failure: failure.copy() }).collect(),
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

fn undone(undone: Undone) -> Next {
    match undone {
        Undone::Lost => Next::Lost,
        Undone::Locked => Next::Again(LOCKED),
        Undone::Database(error) if is_transient(&error) => Next::Again(jitter(1)),
        Undone::Database(error) => Next::Reconnect(error.to_string()),
        Undone::Failed { failure, .. } => Next::Reconnect(failure.to_string()),
    }
}

fn is_transient(error: &Error) -> bool {
    error.is_retryable()
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
