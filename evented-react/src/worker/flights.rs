//! The effects of a part: which deliveries run, which wait, and how they ended.
//!
//! Effects of different keys run at the same time, and end in any order. What is stored stays simple: one cursor, at the last
//! delivery before which all are done. So after a crash the deliveries that follow it run again.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Verdict};
use crate::item::{Item, Work};
use crate::key::OrderKey;
use crate::outcome::Outcome;
use crate::settle::{Settlement, TriedAgain};
use crate::step::{CONFLICTS, OUTAGE};
use crate::store::State;
use crate::subscriber::Subscriber;

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod laws;

mod due_flights;

pub(super) use due_flights::DueFlight;

/// How many deliveries may be done before the cursor is moved past them.
const MOST_UNSETTLED: usize = 500;
/// How long deliveries that are done wait for others, so that the cursor is moved past all of them at once.
const GAP: Duration = Duration::from_millis(100);

/// Names a delivery whose effect runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticket {
    /// A new delivery, by its number among all that the part had in its queue.
    New(u64),
    /// A delivery that was set aside, by its number there.
    Due(i64),
}

/// The state of a delivery in the queue.
#[derive(Debug)]
enum FlightState {
    /// It is ready, or lines up behind another delivery of its key.
    Queued,
    Running,
    Ended(Outcome),
}

/// The effects of a part.
pub(super) struct Flights<C> {
    /// How many run at the same time.
    share: usize,
    /// The time between the beginnings of two.
    distance: Duration,
    /// The number of the first delivery of the queue.
    first: u64,
    /// The states of the first deliveries of the queue. The others have not been looked at.
    states: VecDeque<FlightState>,
    /// How many of the first deliveries have ended.
    ended: usize,
    /// The deliveries that can run.
    ready: BTreeSet<u64>,
    /// For each key of which a delivery is ready or runs: those that line up behind it.
    lined_up: HashMap<OrderKey, VecDeque<u64>>,
    /// The keys whose deliveries are set aside; `None` until they are read.
    waiting: Option<HashSet<OrderKey>>,
    due: Vec<DueFlight<C>>,
    running: usize,
    /// The time before which no effect begins.
    not_before: Option<Instant>,
    failed_in_a_row: u32,
    outage_rounds: u32,
    settled_at: Instant,
    /// Whether the runners know that there is something to store.
    is_announced: bool,
}

/// An effect to run: its deliveries, and the number of the attempt.
pub(super) struct Takeoff<C> {
    pub(super) ticket: Ticket,
    pub(super) items: Vec<Arc<Item<C>>>,
    pub(super) attempt: u32,
}

impl<C> Flights<C> {
    pub(super) fn new(share: usize, distance: Duration) -> Self {
        Self {
            share,
            distance,
            first: 0,
            states: VecDeque::new(),
            ended: 0,
            ready: BTreeSet::new(),
            lined_up: HashMap::new(),
            waiting: None,
            due: Vec::new(),
            running: 0,
            not_before: None,
            failed_in_a_row: 0,
            outage_rounds: 0,
            settled_at: Instant::now(),
            is_announced: false,
        }
    }

    /// Returns the next effect to run now. `is_leaving`: nothing new begins, except what the cursor needs to pass deliveries that
    /// are done.
    pub(super) fn next(
        &mut self,
        queue: &VecDeque<Arc<Item<C>>>,
        now: Instant,
        is_leaving: bool,
    ) -> Option<Takeoff<C>> {
        if self.waiting.is_none()
            || self.running >= self.share
            || self.not_before.is_some_and(|time| time > now)
        {
            return None;
        }
        let due = if is_leaving { None } else { self.next_due() };
        let takeoff = match due {
            Some(takeoff) => takeoff,
            None => self.next_new(queue, is_leaving)?,
        };
        self.running += 1;
        if !self.distance.is_zero() {
            self.not_before = Some(now + self.distance);
        }
        Some(takeoff)
    }

    fn next_new(&mut self, queue: &VecDeque<Arc<Item<C>>>, is_leaving: bool) -> Option<Takeoff<C>> {
        let last = if is_leaving { self.last_needed(queue)? } else { queue.len().checked_sub(1)? };
        while self.ready.is_empty() && self.states.len() <= last {
            self.look_at(queue.get(self.states.len())?);
        }
        let number = *self.ready.first()?;
        let index = self.index(number).filter(|index| *index <= last)?;
        self.ready.pop_first();
        let item = queue.get(index)?;
        *self.states.get_mut(index)? = FlightState::Running;
        Some(Takeoff { ticket: Ticket::New(number), items: vec![Arc::clone(item)], attempt: 1 })
    }

    /// Returns the last delivery that the cursor must pass, so that none of those that have ended runs again.
    fn last_needed(&self, queue: &VecDeque<Arc<Item<C>>>) -> Option<usize> {
        let mut last = self.states.iter().rposition(|state| !matches!(state, FlightState::Queued))?;
        while is_within_event(queue, last + 1) {
            last += 1;
        }
        Some(last)
    }

    /// Finds out what the next delivery of the queue waits for.
    fn look_at(&mut self, item: &Item<C>) {
        let number = self.first + u64::try_from(self.states.len()).unwrap_or(u64::MAX);
        let Some(waiting) = &mut self.waiting else { return };
        let state = if !matches!(item.work, Work::Effect(_)) {
            // What this program cannot read is set aside in its turn, and the later deliveries of its key behind it.
            waiting.insert(item.key.clone());
            FlightState::Ended(Outcome::Unread)
        } else if waiting.contains(&item.key) {
            FlightState::Ended(Outcome::Behind)
        } else if let Some(behind) = self.lined_up.get_mut(&item.key) {
            behind.push_back(number);
            FlightState::Queued
        } else {
            self.lined_up.insert(item.key.clone(), VecDeque::new());
            self.ready.insert(number);
            FlightState::Queued
        };
        self.states.push_back(state);
        self.count_ended();
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    fn count_ended(&mut self) {
        while matches!(self.states.get(self.ended), Some(FlightState::Ended(_))) {
            self.ended += 1;
        }
    }

    /// Stores how an effect ended.
    pub(super) fn land(
        &mut self,
        ticket: Ticket,
        queue: &VecDeque<Arc<Item<C>>>,
        subscriber: &Subscriber<C>,
        result: Result<(), Failure>,
        now: Instant,
    ) {
        self.running = self.running.saturating_sub(1);
        let is_outage = self.is_outage(subscriber, result.as_ref().err(), now);
        match ticket {
            Ticket::Due(number) => {
                if let Some(due) = self.due.iter_mut().find(|due| due.row.number == number) {
                    due.is_running = false;
                    due.result = Some(result);
                }
            }
            Ticket::New(number) => {
                let Some(index) = self.index(number) else { return };
                let Some(item) = queue.get(index) else { return };
                if is_outage {
                    self.set(index, FlightState::Queued);
                    self.ready.insert(number);
                    return;
                }
                self.landed(index, &item.key, subscriber, result);
            }
        }
    }

    /// Stores how the effect of a new delivery ended.
    fn landed(
        &mut self,
        index: usize,
        key: &OrderKey,
        subscriber: &Subscriber<C>,
        result: Result<(), Failure>,
    ) {
        let outcome = match result {
            Ok(()) => Outcome::Done,
            Err(failure) => Outcome::Failed(failure),
        };
        let waits = outcome.next_state(subscriber).is_some_and(|state| state != State::Passed);
        self.set(index, FlightState::Ended(outcome));
        if waits {
            if let Some(waiting) = &mut self.waiting {
                waiting.insert(key.clone());
            }
            for number in self.lined_up.remove(key).unwrap_or_default() {
                if let Some(index) = self.index(number) {
                    self.set(index, FlightState::Ended(Outcome::Behind));
                }
            }
        } else {
            match self.lined_up.get_mut(key).and_then(VecDeque::pop_front) {
                Some(number) => drop(self.ready.insert(number)),
                None => drop(self.lined_up.remove(key)),
            }
        }
        self.count_ended();
    }

    fn set(&mut self, index: usize, state: FlightState) {
        if let Some(stored) = self.states.get_mut(index) {
            *stored = state;
        }
    }

    /// Returns whether an effect failed for a reason that others share. Then the part waits, instead of setting everything aside. It
    /// slows down, and does not stop for ever.
    fn is_outage(&mut self, subscriber: &Subscriber<C>, failure: Option<&Failure>, now: Instant) -> bool {
        let Some(failure) = failure else {
            (self.failed_in_a_row, self.outage_rounds) = (0, 0);
            return false;
        };
        if !matches!(failure.verdict, Verdict::Retry | Verdict::Conflict) {
            return false;
        }
        self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
        if self.failed_in_a_row <= OUTAGE {
            return false;
        }
        if self.not_before.is_some_and(|time| time > now + self.distance) {
            // It began before the pause.
            return true;
        }
        if self.outage_rounds >= CONFLICTS {
            self.outage_rounds = 0;
            return false;
        }
        self.outage_rounds += 1;
        let pause = subscriber.retry.pause_after(self.outage_rounds).unwrap_or(Duration::from_secs(1));
        // A rate may set a later time.
        self.not_before = self.not_before.max(Some(now + pause));
        true
    }

    /// Returns the time at which an effect can begin that waits for its time.
    pub(super) fn begins_at(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|time| *time > now && self.running < self.share)
    }

    /// Returns the time at which there is something to store.
    pub(super) fn settles_at(&self, queue: &VecDeque<Arc<Item<C>>>, now: Instant) -> Option<Instant> {
        let is_due = self.due.iter().any(|due| due.result.is_some());
        if self.waiting.is_none() || is_due {
            return Some(now);
        }
        let ended = self.ended_events(queue);
        if ended == 0 {
            return None;
        }
        let is_all = ended == queue.len() || self.running == 0 && self.ready.is_empty();
        Some(if is_all || ended >= MOST_UNSETTLED { now } else { self.settled_at + GAP })
    }

    /// Returns how many deliveries can be stored: of whole events, because the cursor is moved past an event or not.
    fn ended_events(&self, queue: &VecDeque<Arc<Item<C>>>) -> usize {
        let mut count = self.ended;
        while count > 0 && is_within_event(queue, count) {
            count -= 1;
        }
        count
    }

    /// Returns whether the runners must be told that there is something to store, or when.
    pub(super) fn announces(&mut self, queue: &VecDeque<Arc<Item<C>>>, now: Instant) -> bool {
        let Some(time) = self.settles_at(queue, now) else { return false };
        time <= now || !std::mem::replace(&mut self.is_announced, true)
    }

    /// Returns whether nothing runs, and everything that can be stored is. What has ended behind an effect that must wait for its
    /// time, because of a rate or an outage, runs again later: a worker that stops does not wait so long.
    pub(super) fn is_settled(&self, queue: &VecDeque<Arc<Item<C>>>) -> bool {
        let waits = || self.not_before.is_some_and(|time| time > Instant::now());
        self.running == 0
            && self.ended_events(queue) == 0
            && self.due.iter().all(|due| due.result.is_none())
            && (self.last_needed(queue).is_none() || waits())
    }

    /// Returns what has ended and is not stored.
    pub(super) fn settlement(&mut self, queue: &VecDeque<Arc<Item<C>>>) -> Settlement<C> {
        self.settled_at = Instant::now();
        self.is_announced = false;
        let count = self.ended_events(queue);
        let outcome = |state: &FlightState| match state {
            FlightState::Ended(outcome) => outcome.copy(),
            FlightState::Queued | FlightState::Running => Outcome::Behind,
        };
        let tried_again = |due: &DueFlight<C>| {
            let result = due.result.as_ref()?.as_ref().copied().map_err(Failure::copy);
            Some(TriedAgain { row: due.row.clone(), items: due.items.clone(), result })
        };
        Settlement {
            items: queue.iter().take(count).map(Arc::clone).collect(),
            outcomes: self.states.iter().take(count).map(outcome).collect(),
            tried_again: self.due.iter().filter_map(tried_again).collect(),
        }
    }

    /// Forgets deliveries that are stored.
    pub(super) fn took(&mut self, taken: usize, tried_again: &[i64]) {
        let taken = taken.min(self.states.len());
        drop(self.states.drain(..taken));
        self.first += u64::try_from(taken).unwrap_or(0);
        self.ended = self.ended.saturating_sub(taken);
        self.due.retain(|due| !tried_again.contains(&due.row.number));
    }

    /// Takes the keys whose deliveries are set aside, as they were read. Those of deliveries that are not stored yet wait, too.
    /// `queue`: the deliveries that are left.
    pub(super) fn learn_waiting<'q>(
        &mut self,
        queue: impl Iterator<Item = &'q Arc<Item<C>>>,
        stored: HashSet<OrderKey>,
        subscriber: &Subscriber<C>,
    ) where
        C: 'q,
    {
        let mut waiting = stored;
        waiting.extend(self.due.iter().map(|due| due.row.key.clone()));
        for (item, state) in queue.zip(&self.states) {
            let FlightState::Ended(outcome) = state else { continue };
            if outcome.next_state(subscriber).is_some_and(|state| state != State::Passed) {
                waiting.insert(item.key.clone());
            }
        }
        self.waiting = Some(waiting);
    }
}

/// Returns whether two deliveries of one event are on both sides of an index.
fn is_within_event<C>(queue: &VecDeque<Arc<Item<C>>>, index: usize) -> bool {
    let (before, after) = (queue.get(index.wrapping_sub(1)), queue.get(index));
    before.zip(after).is_some_and(|(before, after)| before.is_of_same_event(after))
}
