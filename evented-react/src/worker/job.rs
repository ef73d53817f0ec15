//! What a runner does with a part, and how the part is given to it and taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::item::Item;
use crate::settle::{Settled, Settlement};
use crate::step::{Batching, MOST_EVENTS_PER_BATCH};
use crate::worker::owned_part::OwnedPartId;
use crate::worker::shared::Shared;

/// The shortest time between two batches of a part that has caught up. While the log moves, its events are handled together
/// and not one by one: each batch is a transaction, which the writers beside it feel. An event after a pause does not wait.
const GAP: Duration = Duration::from_millis(20);

/// The work of a runner on one part. While it exists, no other runner works on the part.
pub(super) struct Job<'s, C> {
    pub(super) shared: &'s Shared<C>,
    pub(super) id: OwnedPartId,
    /// The number of the division that the part belongs to.
    pub(super) division: i32,
    pub(super) batching: Batching,
    pub(super) work: JobWork<C>,
    result: Option<JobResult>,
}

/// What there is to do.
pub(super) enum JobWork<C> {
    /// New deliveries.
    Items(Vec<Arc<Item<C>>>),
    /// Deliveries that were set aside.
    Due,
    /// Effects that have ended, and are not stored.
    Ended(Settlement<C>),
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum JobResult {
    /// So many deliveries of the queue are done.
    Took { taken: usize, set_aside: usize },
    /// The deliveries that were due are done. The next ones are due after this time.
    Due { next: Option<Duration> },
    /// So much of what has ended is stored. `wait`: the rest is stored after this time.
    Stored { settled: Settled, wait: Option<Duration> },
    /// Nothing is done: again after this time.
    Again(Duration),
    /// The part belongs to somebody else.
    Lost,
}

impl<C> Shared<C> {
    /// Returns work for a runner, or the time at which to look again.
    pub(super) fn next_job(&self) -> Result<Job<'_, C>, Option<Instant>> {
        let mut next: Option<Instant> = self.launch();
        let mut state = self.state();
        let is_stopping = self.is_stopping();
        let (now, count) = (Instant::now(), state.owned_parts.len());
        let one_runs_alone = state.alone.is_some();
        for step in 0..count {
            // In turn, so that no part starves.
            let index = (state.turn + step) % count;
            let goes_on =
                state.owned_parts.get(index).is_some_and(|owned| state.goes_on(owned.id.subscriber));
            let Some(owned) = state.owned_parts.get_mut(index) else { continue };
            // Effects that have run are stored in any case.
            let begins = goes_on && !is_stopping;
            if !begins && owned.is_settled() {
                continue;
            }
            let Some(ready) = owned.ready_at(now, begins) else { continue };
            if ready > now {
                next = Some(next.map_or(ready, |next| next.min(ready)));
                continue;
            }
            let runs_alone = owned.batching.as_ref().is_some_and(Batching::runs_alone);
            if runs_alone && one_runs_alone {
                continue;
            }
            let Some(batching) = owned.batching.take() else { continue };
            // In turn: neither new deliveries nor those that are due again wait for ever.
            let is_due = begins
                && owned.due_at.is_some_and(|due| due <= now)
                && (owned.queue.is_empty() || !owned.was_due);
            owned.was_due = is_due;
            let work = if is_due {
                owned.due_at = None;
                JobWork::Due
            } else if let Some(flights) = owned.flights.as_mut().filter(|_| !runs_alone) {
                JobWork::Ended(flights.settlement(&owned.queue))
            } else {
                JobWork::Items(owned.first_events(MOST_EVENTS_PER_BATCH))
            };
            let (id, division) = (owned.id, owned.division);
            if runs_alone {
                state.alone = Some(id);
            }
            state.turn = index + 1;
            return Ok(Job { shared: self, id, division, batching, work, result: None });
        }
        Err(next)
    }
}

impl<C> Job<'_, C> {
    /// Ends the job.
    pub(super) fn end(mut self, result: JobResult) {
        self.result = Some(result);
    }
}

// On drop, so that a runner that panics or is stopped gives the part back, too.
impl<C> Drop for Job<'_, C> {
    fn drop(&mut self) {
        let batching = std::mem::replace(&mut self.batching, Batching::new());
        let mut state = self.shared.state();
        state.alone.take_if(|alone| *alone == self.id);
        let Some(owned) = state.owned(self.id) else { return };
        owned.batching = Some(batching);
        owned.not_before = None;
        let mut has_room = false;
        match self.result.take() {
            Some(JobResult::Took { taken, set_aside }) => {
                has_room = owned.take(taken);
                if taken > 0 && owned.queue.is_empty() {
                    owned.not_before = Some(Instant::now() + GAP);
                }
                if set_aside > 0 {
                    owned.due_at = Some(Instant::now());
                }
            }
            Some(JobResult::Due { next }) => {
                // Another job may have set a time meanwhile.
                let next = next.map(|time| Instant::now() + time);
                owned.due_at = [owned.due_at, next].into_iter().flatten().min();
            }
            Some(JobResult::Stored { settled, wait }) => {
                if let (Some(flights), Some(served)) =
                    (owned.flights.as_mut(), self.shared.served.get(self.id.subscriber))
                {
                    flights.took(settled.taken, &settled.tried_again);
                    if let Some(waiting) = settled.waiting {
                        let left = owned.queue.iter().skip(settled.taken);
                        flights.learn_waiting(left, waiting, &served.subscriber);
                    }
                }
                has_room = owned.take(settled.taken);
                if settled.set_aside > 0 || !settled.tried_again.is_empty() {
                    owned.due_at = Some(Instant::now());
                }
                owned.not_before = wait.map(|wait| Instant::now() + wait);
            }
            Some(JobResult::Again(wait)) => owned.not_before = Some(Instant::now() + wait),
            Some(JobResult::Lost) => {
                let id = self.id;
                state.owned_parts.retain(|owned| owned.id != id);
            }
            None => owned.not_before = Some(Instant::now() + Duration::from_millis(100)),
        }
        let leaves = state.owned(self.id).is_some_and(|owned| owned.is_leaving);
        drop(state);
        if has_room {
            self.shared.announce_reading();
        }
        if leaves || self.shared.is_stopping() {
            self.shared.announce_control();
        }
        self.shared.announce_work();
    }
}
