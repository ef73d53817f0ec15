//! The loop of the reader: it reads the logs of all subscribers in commit order, and fills the queues of the parts that
//! this worker owns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evented_diesel::Error;
use evented_diesel::spi::{CommitMark, EventedBackend, Executor, check_log, commit_mark, database_id};
use evented_feed::spi::{Connector, Pace, PollInterval, WaitsFor, hint, listen_to_commits};

use crate::lend::Lend;
use crate::store::{self, write};
use crate::tail::{Place, Read, Tail, check_start};
use crate::worker::connection::Link;
use crate::worker::moves::Moves;
use crate::worker::owned_part::{OwnedPart, QUEUE, REFILL};
use crate::worker::shared::{LoopGuard, Served, Shared};
use crate::worker::stall::stall;

/// How many events are read at once.
const PAGE: i64 = 1_000;
/// How many pages are read for a part that is behind others, before a page is read for the one that is ahead.
const PAGES_BEHIND: u32 = 8;
/// The shortest time between two polls, with any number of hints.
const MIN_GAP: Duration = Duration::from_millis(1);
/// How long a subscriber that does not go on waits before its logs are checked again.
const STALLED: Duration = Duration::from_secs(5);

/// Runs until the worker stops.
pub(super) async fn run<DB, K, P>(shared: &Shared<<K::Executor as Lend<DB>>::Conn>, mut link: Link<DB, K, P>)
where
    DB: EventedBackend,
    K: Connector<DB, Executor: Lend<DB>>,
    P: Pace,
{
    listen_to_commits();
    let _guard = LoopGuard(shared);
    let mut reader = Reader::new(shared);
    let mut hinted = false;
    loop {
        // Listen from here on, so that a hint that arrives while the reader works is not missed.
        let (hint, reading) = (hint(), shared.listen_for_reading());
        if shared.is_stopping() {
            return;
        }
        let polled = Instant::now();
        let Some(executor) = link.executor(shared).await else { return };
        match reader.poll(executor, hinted).await {
            Ok(true) => link.works(),
            Ok(false) => {
                link.works();
                let wait = reader.wait();
                hinted = if reader.is_full {
                    link.pace.wait_for(reading, wait).await
                } else {
                    link.pace.wait_for(hint, wait).await
                };
                let left = MIN_GAP.saturating_sub(polled.elapsed());
                if !left.is_zero() {
                    link.pace.sleep(left).await;
                }
            }
            Err(Error::Busy { .. }) => link.pace.sleep(Duration::from_millis(4)).await,
            Err(error) => {
                link.lose(shared, &error.to_string());
                reader = Reader::new(shared);
            }
        }
    }
}

/// The readings of all subscribers.
struct Reader<'s, C> {
    shared: &'s Shared<C>,
    /// For each subscriber and each of its logs.
    readings: Vec<Vec<Reading<C>>>,
    interval: PollInterval,
    moves: Moves,
    /// Whether all parts of a subscriber have enough.
    is_full: bool,
    is_blocked: bool,
    /// When stalled subscribers are looked at again.
    check_at: Instant,
}

/// The reading of one log for one subscriber.
struct Reading<C> {
    tail: Option<Tail<C>>,
    /// How many pages were read in a row for a part that is behind others.
    pages_behind: u32,
    /// The commit mark at which everything was read.
    drained: Option<CommitMark>,
}

impl<C> Reading<C> {
    /// Returns where to read. A part that is behind does not keep the others waiting until it has caught up.
    fn turn(&mut self, lowest: Place, highest: Place) -> Place {
        if lowest.offset < highest.offset && self.pages_behind < PAGES_BEHIND {
            self.pages_behind += 1;
            return lowest;
        }
        self.pages_behind = 0;
        highest
    }

    fn none() -> Self {
        Self { tail: None, pages_behind: 0, drained: None }
    }
}

impl<'s, C: Send + 'static> Reader<'s, C> {
    fn new(shared: &'s Shared<C>) -> Self {
        let readings =
            shared.served.iter().map(|served| served.logs.iter().map(|_| Reading::none()).collect());
        Self {
            shared,
            readings: readings.collect(),
            interval: PollInterval::new(None, Instant::now()),
            moves: Moves::new(),
            is_full: false,
            is_blocked: false,
            check_at: Instant::now(),
        }
    }

    /// Returns how long to wait for a hint.
    fn wait(&self) -> Duration {
        let waits_for = match (self.is_full, self.is_blocked) {
            (true, _) => WaitsFor::Subscriber,
            (_, true) => WaitsFor::OpenTransaction,
            _ => WaitsFor::Nothing,
        };
        let wait = self.interval.next(waits_for, Instant::now());
        self.moves.wait().map_or(wait, |moves| moves.min(wait))
    }

    /// Reads what is new. Returns whether there may be more already.
    async fn poll<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        hinted: bool,
    ) -> Result<bool, Error> {
        let Some(log) = self.shared.served.iter().find_map(|served| served.logs.first()) else {
            return Ok(false);
        };
        let mark = commit_mark(executor, log.name).await?;
        self.is_blocked = mark.oldest_running.is_some() && mark.oldest_running != mark.next;
        self.is_full = false;
        let (mut more, mut found) = (false, false);
        let mut first_error = None;
        let shared = self.shared;
        for (subscriber, served) in shared.served.iter().enumerate() {
            for stream in 0..served.logs.len() {
                match self.log(executor, served, subscriber, stream, &mark).await {
                    Ok(Some(read)) => {
                        found |= read.found;
                        more |= read.more;
                    }
                    Ok(None) => {}
                    Err(error) if is_final(&error) => {
                        stall(shared, executor, subscriber, &error.to_string()).await?;
                    }
                    // A log that cannot be read stops no other subscriber.
                    Err(error) => {
                        self.forget(subscriber, stream);
                        first_error.get_or_insert(error);
                    }
                }
            }
        }
        self.interval.polled(hinted, found, Instant::now());
        if found {
            shared.announce_work();
        }
        self.moves.run(executor, shared).await?;
        if Instant::now() >= self.check_at {
            self.check_at = Instant::now() + STALLED;
            self.wake_stalled();
        }
        first_error.map_or(Ok(more), Err)
    }

    /// Drops a reading: it has taken a part of a page.
    fn forget(&mut self, subscriber: usize, stream: usize) {
        if let Some(reading) = self.reading(subscriber, stream) {
            *reading = Reading::none();
        }
    }

    /// Reads a log for a subscriber; `None` if there is nothing to read.
    async fn log<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        served: &Served<C>,
        subscriber: usize,
        stream: usize,
        mark: &CommitMark,
    ) -> Result<Option<Progress>, Error> {
        let read_to =
            self.reading(subscriber, stream).and_then(|reading| Some(reading.tail.as_ref()?.place()));
        let (from, is_behind) = match self.demand(subscriber, stream, read_to) {
            Demand::None => {
                self.forget(subscriber, stream);
                return Ok(None);
            }
            Demand::Full => {
                self.is_full = true;
                return Ok(None);
            }
            Demand::From { lowest, highest } => {
                let Some(reading) = self.reading(subscriber, stream) else { return Ok(None) };
                let from = reading.turn(lowest, highest);
                (from, lowest.offset < from.offset)
            }
        };
        let Some(log) = served.logs.get(stream).copied() else { return Ok(None) };
        let Some(reading) = self.reading(subscriber, stream) else { return Ok(None) };
        match &mut reading.tail {
            None => {
                check_log(executor, log.name).await?;
                let database = database_id(executor, log.name).await?;
                check_start(executor, &log, mark, from).await?;
                reading.tail = Tail::new(&served.subscriber, stream, database, from);
                reading.drained = None;
                write(executor, store::set_stalled(&served.subscriber.name, None)).await?;
            }
            // A part is behind that was taken or has room again, or the part that was behind is full.
            Some(tail) if from.offset != tail.place().offset => {
                tail.seek(from);
                reading.drained = None;
            }
            Some(_) => {}
        }
        if reading.drained.as_ref() == Some(mark) {
            return Ok(is_behind.then_some(Progress { found: false, more: true }));
        }
        let Some(tail) = &mut reading.tail else { return Ok(None) };
        let before = tail.place();
        if !DB::NUMBERS_TRANSACTIONS {
            // A file can be restored under an open connection. SQLite then assigns the same numbers again.
            check_start(executor, &log, mark, before).await?;
        }
        let read = tail.read(executor, mark.oldest_running, PAGE).await?;
        reading.drained = (!read.more).then(|| mark.clone());
        let progress = Progress { found: read.to != before, more: read.more || is_behind };
        self.distribute(subscriber, stream, read);
        Ok(Some(progress))
    }

    fn reading(&mut self, subscriber: usize, stream: usize) -> Option<&mut Reading<C>> {
        self.readings.get_mut(subscriber)?.get_mut(stream)
    }

    /// Returns where to read from for the parts that this worker owns. A part that is full does not hold up the others: it falls
    /// behind, and what it has missed is read again when it has room.
    fn demand(&self, subscriber: usize, stream: usize, read_to: Option<Place>) -> Demand {
        let state = self.shared.state();
        let is_served = |owned: &&OwnedPart<C>| owned.id.subscriber == subscriber && !owned.is_leaving;
        let mut owned_parts = state.owned_parts.iter().filter(is_served).peekable();
        if !state.goes_on(subscriber) || owned_parts.peek().is_none() {
            return Demand::None;
        }
        let is_behind = |place: &Place| read_to.is_some_and(|read_to| place.offset < read_to.offset);
        let wanted = owned_parts.filter_map(|owned| {
            let place = owned.read_to.get(stream)?;
            let most = if is_behind(place) { REFILL } else { QUEUE };
            (owned.queue.len() < most).then_some(*place)
        });
        let wanted: Vec<Place> = wanted.collect();
        let lowest = wanted.iter().min_by_key(|place| place.offset);
        let highest = wanted.iter().max_by_key(|place| place.offset);
        lowest
            .zip(highest)
            .map_or(Demand::Full, |(lowest, highest)| Demand::From { lowest: *lowest, highest: *highest })
    }

    /// Gives the deliveries to the parts of their keys.
    fn distribute(&self, subscriber: usize, stream: usize, read: Read<C>) {
        let mut state = self.shared.state();
        let Some(division) = state.divisions.get(subscriber).cloned().flatten() else { return };
        let name = self.shared.served.get(subscriber).and_then(|served| served.streams.get(stream));
        let Some(name) = name else { return };
        // A part that was taken meanwhile may be behind what was read: it gets nothing of this, and the next reading begins
        // there. So does a part that is full. A part that is ahead gets only what it does not have.
        let is_reached = |owned: &&mut OwnedPart<C>| {
            owned.id.subscriber == subscriber
                && owned.queue.len() < QUEUE
                && owned.read_to.get(stream).is_some_and(|place| place.offset >= read.from)
        };
        let mut owned_parts: Vec<_> = state.owned_parts.iter_mut().filter(is_reached).collect();
        for item in read.items {
            // Before a resize. An effect would run before a transaction finds that out.
            if !item.is_anywhere() && division.is_handled(&item.key, name, item.offset) {
                continue;
            }
            let item = Arc::new(item);
            for owned in owned_parts.iter_mut().filter(|owned| item.is_of_part(&division, owned.id.part)) {
                if owned.read_to.get(stream).is_some_and(|place| item.offset > place.offset) {
                    owned.queue.push_back(Arc::clone(&item));
                }
            }
        }
        for owned in owned_parts {
            if let Some(place) = owned.read_to.get_mut(stream)
                && place.offset < read.to.offset
            {
                *place = read.to;
            }
        }
    }

    /// Lets stalled subscribers try again: the database may have been restored.
    fn wake_stalled(&self) {
        let mut state = self.shared.state();
        for subscriber in 0..self.shared.served.len() {
            if state.stalled.get_mut(subscriber).and_then(Option::take).is_some() {
                // The parts are taken again, with the cursors that are stored now.
                state.owned_parts.retain(|owned| owned.id.subscriber != subscriber);
                self.shared.announce_control();
            }
        }
    }
}

/// What is read for a subscriber.
enum Demand {
    /// Nothing: this worker owns none of its parts.
    None,
    /// Nothing: its parts have enough.
    Full,
    /// The events after these places: of the part that is furthest behind, and of the one that is furthest ahead.
    From { lowest: Place, highest: Place },
}

/// What a reading of a page found.
struct Progress {
    found: bool,
    more: bool,
}

/// Returns whether a log cannot continue, as opposed to a database that is not reachable.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::MustRefetch { .. } | Error::Position { .. } | Error::ForeignLog { .. })
}
