//! Runs effects, on threads or on tasks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evented_diesel::spi::{EventedBackend, catch_panic};

use crate::call::perform;
use crate::failure::Failure;
use crate::item::Item;
use crate::lend::Lend;
use crate::worker::flights::{DueFlight, Flights, Takeoff, Ticket};
use crate::worker::owned_part::OwnedPartId;
use crate::worker::shared::{Shared, State};

/// An effect that runs.
pub(super) struct Flight<C> {
    shared: Arc<Shared<C>>,
    part: OwnedPartId,
    ticket: Ticket,
    items: Vec<Arc<Item<C>>>,
    attempt: u32,
    /// Whether its end was stored.
    has_landed: bool,
}

/// Starts effects. Each kind of worker has its own.
pub(super) type Launcher<C> = Box<dyn Fn(Flight<C>) + Send + Sync>;

impl<C> Flight<C> {
    /// Runs the effect. `E` is the kind of executor that the worker has.
    pub(super) async fn run<DB: EventedBackend, E: Lend<DB, Conn = C>>(mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(served) = shared.served.get(self.part.subscriber) else { return };
        let mut result = Ok(());
        for item in &self.items {
            result = perform::<DB, E>(&served.subscriber, item, self.attempt).await;
            if result.is_err() {
                break;
            }
        }
        // Text from here on: the error is the user's, and is not asked for it with a lock held.
        let as_text = |failure: Failure| {
            let verdict = failure.verdict;
            let unreadable = || Failure { verdict, error: "the error of the effect panicked".into() };
            catch_panic(|| failure.copy()).unwrap_or_else(unreadable)
        };
        let result = result.map_err(as_text);
        self.has_landed = true;
        shared.landed(self.part, self.ticket, result);
        if shared.launch().is_some() {
            // A runner knows only the times that it has asked for.
            shared.announce_work();
        }
        shared.announce_ended(self.part);
    }
}

// A task that is dropped before its end, because its runtime shuts down, has not had its effect as far as anybody knows.
impl<C> Drop for Flight<C> {
    fn drop(&mut self) {
        if !self.has_landed {
            self.shared.landed(self.part, self.ticket, Err(Failure::snooze(Duration::ZERO)));
            self.shared.announce_ended(self.part);
        }
    }
}

impl<C> Shared<C> {
    /// Starts the effects that can begin now. Returns when the next one can.
    pub(super) fn launch(&self) -> Option<Instant> {
        let (launcher, shared) = (self.launcher.get()?, self.me.upgrade()?);
        let (flights, next) = self.flights_to_launch(&shared);
        // Without the lock: a runtime that shuts down drops them at once.
        flights.into_iter().for_each(launcher);
        next
    }

    fn flights_to_launch(&self, shared: &Arc<Self>) -> (Vec<Flight<C>>, Option<Instant>) {
        let mut state = self.state();
        // Read with the lock: otherwise an effect could begin after the runners, which store its end, have ended.
        let (now, is_stopping) = (Instant::now(), self.is_stopping());
        let (mut all, mut next) = (Vec::new(), None);
        // Somebody else may own the parts of a worker that was not seen for so long.
        if !self.is_seen(&state, now) {
            return (all, next);
        }
        let alone = state.alone;
        let goes_on: Vec<bool> =
            (0..self.served.len()).map(|subscriber| state.goes_on(subscriber) && !is_stopping).collect();
        for owned in &mut state.owned_parts {
            let runs_alone = alone == Some(owned.id) || owned.flights().is_none();
            let Some(flights) = owned.flights.as_mut().filter(|_| !runs_alone) else { continue };
            let is_leaving = owned.is_leaving || goes_on.get(owned.id.subscriber) != Some(&true);
            while let Some(takeoff) = flights.next(&owned.queue, now, is_leaving) {
                let Takeoff { ticket, items, attempt } = takeoff;
                let shared = Arc::clone(shared);
                all.push(Flight { shared, part: owned.id, ticket, items, attempt, has_landed: false });
            }
            next = [next, flights.begins_at(now)].into_iter().flatten().min();
        }
        (all, next)
    }

    /// Stores how an effect ended.
    fn landed(&self, part: OwnedPartId, ticket: Ticket, result: Result<(), Failure>) {
        let mut state = self.state();
        if let Some(served) = self.served.get(part.subscriber)
            && let Some(owned) = state.owned(part)
            && let Some(flights) = &mut owned.flights
        {
            flights.land(ticket, &owned.queue, &served.subscriber, result, Instant::now());
        }
    }

    /// Tells the runners that there is something to store.
    fn announce_ended(&self, part: OwnedPartId) {
        let mut state = self.state();
        let Some(owned) = state.owned(part) else { return };
        let (queue, leaves) = (&owned.queue, owned.is_leaving);
        let announces =
            owned.flights.as_mut().is_some_and(|flights| flights.announces(queue, Instant::now()));
        drop(state);
        if announces || leaves || self.is_stopping() {
            self.announce_work();
        }
        if leaves {
            self.announce_control();
        }
    }

    /// Returns whether effects run, or their ends are not stored. Not if the worker was not seen for the lease: somebody else may own
    /// its parts, and nothing of them begins or is stored.
    pub(super) fn has_flights(&self) -> bool {
        let state = self.state();
        self.is_seen(&state, Instant::now()) && state.owned_parts.iter().any(|owned| !owned.is_settled())
    }

    /// Returns whether the worker was seen in the database within the lease.
    fn is_seen(&self, state: &State<C>, now: Instant) -> bool {
        state.last_beat.is_some_and(|beat| beat + self.lease >= now)
    }

    /// Returns the numbers of the deliveries that were set aside and run.
    pub(super) fn due_of(&self, part: OwnedPartId) -> Vec<i64> {
        let mut state = self.state();
        let flights = state.owned(part).and_then(|owned| owned.flights.as_ref());
        flights.map(Flights::begun_again).unwrap_or_default()
    }

    /// Takes deliveries that are due.
    pub(super) fn set_due(&self, part: OwnedPartId, due: Vec<DueFlight<C>>) {
        if let Some(flights) = self.state().owned(part).and_then(|owned| owned.flights.as_mut()) {
            flights.set_due(due);
        }
    }
}
