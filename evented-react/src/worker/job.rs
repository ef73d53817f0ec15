//! What a runner does with a part, and how the part is given to it and taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::item::Item;
use crate::step::{MOST_EVENTS_PER_BATCH, Pace};
use crate::tail::Place;
use crate::worker::seat::{QUEUE, SeatId};
use crate::worker::shared::Shared;

/// The shortest time between two batches of a part that has caught up. While the log moves, its events are handled together
/// and not one by one: each batch is a transaction, which the writers beside it feel.
const GAP: Duration = Duration::from_millis(5);

/// The work of a runner on one part. While it exists, no other runner works on the part.
pub(super) struct Job<'s, C> {
    pub(super) shared: &'s Shared<C>,
    pub(super) id: SeatId,
    pub(super) pace: Pace,
    pub(super) work: JobWork<C>,
    result: Option<JobResult>,
}

/// What there is to do.
pub(super) enum JobWork<C> {
    /// New deliveries.
    Items(Vec<Arc<Item<C>>>),
    /// Deliveries that were set aside.
    Due,
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum JobResult {
    /// So many deliveries of the queue are done.
    Took { taken: usize, set_aside: usize },
    /// The deliveries that were due are done. The next ones are due after this time.
    Due { next: Option<Duration> },
    /// Nothing is done: again after this time.
    Again(Duration),
    /// The part belongs to somebody else.
    Lost,
}

impl<C> Shared<C> {
    /// Returns work for a runner, or the time at which to look again.
    pub(super) fn next_job(&self) -> Result<Job<'_, C>, Option<Instant>> {
        let mut state = self.state();
        if self.is_stopping() {
            return Err(None);
        }
        let (now, count) = (Instant::now(), state.seats.len());
        let has_suspect = state.suspect.is_some();
        let mut next: Option<Instant> = None;
        for step in 0..count {
            // In turn, so that no part starves.
            let index = (state.turn + step) % count;
            let goes_on = state.seats.get(index).is_some_and(|seat| state.goes_on(seat.id.subscriber));
            let Some(seat) = state.seats.get_mut(index).filter(|_| goes_on) else { continue };
            let Some(ready) = seat.ready_at(now) else { continue };
            if ready > now {
                next = Some(next.map_or(ready, |next| next.min(ready)));
                continue;
            }
            let is_suspicious = seat.pace.as_ref().is_some_and(Pace::is_suspicious);
            if is_suspicious && has_suspect {
                continue;
            }
            let Some(pace) = seat.pace.take() else { continue };
            // In turn: neither new deliveries nor those that are due again wait for ever.
            let is_due =
                seat.due_at.is_some_and(|due| due <= now) && (seat.queue.is_empty() || !seat.was_due);
            seat.was_due = is_due;
            let work = if is_due {
                seat.due_at = None;
                JobWork::Due
            } else {
                JobWork::Items(seat.first_events(MOST_EVENTS_PER_BATCH))
            };
            let id = seat.id;
            if is_suspicious {
                state.suspect = Some(id);
            }
            state.turn = index + 1;
            return Ok(Job { shared: self, id, pace, work, result: None });
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
        let pace = std::mem::replace(&mut self.pace, Pace::new());
        let mut state = self.shared.state();
        state.suspect.take_if(|suspect| *suspect == self.id);
        let Some(seat) = state.seat(self.id) else { return };
        seat.pace = Some(pace);
        seat.not_before = None;
        let mut has_room = false;
        match self.result.take() {
            Some(JobResult::Took { taken, set_aside }) => {
                let was_full = seat.queue.len() >= QUEUE;
                for item in seat.queue.drain(..taken.min(seat.queue.len())) {
                    let place = Place::of(item.position);
                    if let Some(cursor) = seat.cursors.get_mut(item.stream) {
                        *cursor = place;
                    }
                }
                has_room = seat.queue.is_empty() || (was_full && seat.queue.len() < QUEUE);
                if taken > 0 && seat.queue.is_empty() {
                    seat.not_before = Some(Instant::now() + GAP);
                }
                if set_aside > 0 {
                    seat.due_at = Some(Instant::now());
                }
            }
            Some(JobResult::Due { next }) => {
                // Another job may have set a time meanwhile.
                let next = next.map(|time| Instant::now() + time);
                seat.due_at = [seat.due_at, next].into_iter().flatten().min();
            }
            Some(JobResult::Again(wait)) => seat.not_before = Some(Instant::now() + wait),
            Some(JobResult::Lost) => {
                let id = self.id;
                state.seats.retain(|seat| seat.id != id);
            }
            None => seat.not_before = Some(Instant::now() + Duration::from_millis(100)),
        }
        let leaves = state.seat(self.id).is_some_and(|seat| seat.is_leaving);
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
