//! A part that this worker owns: its queue, and how far it came.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::item::Item;
use crate::step::Batching;
use crate::tail::Place;
use crate::worker::flights::Flights;

/// The most deliveries that a part has in its queue before it gets no more.
pub(super) const QUEUE: usize = 2_000;
/// How few deliveries a part has that missed some, before the reader goes back for them.
pub(super) const REFILL: usize = QUEUE / 4;

/// Names a part that this worker owns. After the part was lost and taken again, it has another fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnedPartId {
    pub(super) subscriber: usize,
    pub(super) part: i32,
    pub(super) fence: i64,
}

/// A part that this worker owns.
pub(super) struct OwnedPart<C> {
    pub(super) id: OwnedPartId,
    /// The number of the division that the part belongs to.
    pub(super) division: i32,
    /// The deliveries that were read and not handled, in the order of each log.
    pub(super) queue: VecDeque<Arc<Item<C>>>,
    /// For each log: the stored cursor, as far as this worker knows.
    pub(super) cursors: Vec<Place>,
    /// For each log: how far the reader has read for this part.
    pub(super) read_to: Vec<Place>,
    /// What is known about the deliveries; `None` while a runner works on the part.
    pub(super) batching: Option<Batching>,
    /// The time before which no batch is run.
    pub(super) not_before: Option<Instant>,
    /// The time at which to look for deliveries that are due again.
    pub(super) due_at: Option<Instant>,
    /// Whether the last job was about deliveries that were due.
    pub(super) was_due: bool,
    /// Whether the part is given back as soon as no runner works on it.
    pub(super) is_leaving: bool,
    /// The effects that run; `None` for a subscriber with handlers.
    pub(super) flights: Option<Flights<C>>,
}

impl<C> OwnedPart<C> {
    pub(super) fn new(
        id: OwnedPartId,
        division: i32,
        cursors: Vec<Place>,
        batching: Batching,
        flights: Option<Flights<C>>,
    ) -> Self {
        Self {
            id,
            division,
            queue: VecDeque::new(),
            read_to: cursors.clone(),
            cursors,
            batching: Some(batching),
            not_before: None,
            // Deliveries may have been set aside by the last owner.
            due_at: Some(Instant::now()),
            was_due: false,
            is_leaving: false,
            flights,
        }
    }

    /// Returns the effects that run at present; `None` if deliveries are handled one event at a time.
    pub(super) fn flights(&self) -> Option<&Flights<C>> {
        let runs_alone = self.batching.as_ref().is_some_and(Batching::runs_alone);
        self.flights.as_ref().filter(|_| !runs_alone)
    }

    /// Returns whether no effect runs, and everything that has ended is stored.
    pub(super) fn is_settled(&self) -> bool {
        self.flights.as_ref().is_none_or(|flights| flights.is_settled(&self.queue))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.batching.is_some()
    }

    /// Returns the deliveries of the first events of the queue: all of each event, because a batch has whole events.
    pub(super) fn first_events(&self, events: usize) -> Vec<Arc<Item<C>>> {
        let mut taken: Vec<Arc<Item<C>>> = Vec::new();
        let mut count = 0;
        for item in &self.queue {
            if !taken.last().is_some_and(|last| last.is_of_same_event(item)) {
                count += 1;
                if count > events {
                    break;
                }
            }
            taken.push(Arc::clone(item));
        }
        taken
    }

    /// Removes deliveries that are done from the queue. Returns whether the queue has room again.
    pub(super) fn take(&mut self, taken: usize) -> bool {
        let had = self.queue.len();
        for item in self.queue.drain(..taken.min(had)) {
            let place = Place::of(item.position);
            if let Some(cursor) = self.cursors.get_mut(item.stream) {
                *cursor = place;
            }
        }
        [1, REFILL, QUEUE].iter().any(|least| had >= *least && self.queue.len() < *least)
    }

    /// Returns when there is work; `None` if there is none. `begins`: whether deliveries may begin, and not only be stored.
    pub(super) fn ready_at(&self, now: Instant, begins: bool) -> Option<Instant> {
        if !self.is_idle() || self.is_leaving && self.is_settled() {
            return None;
        }
        let work = match self.flights() {
            Some(flights) => flights.settles_at(&self.queue, now),
            None => (!self.queue.is_empty()).then_some(now),
        };
        let due_at = self.due_at.filter(|_| begins && !self.is_leaving);
        let ready = [work, due_at].into_iter().flatten().min()?;
        Some(self.not_before.map_or(ready, |not_before| ready.max(not_before)))
    }
}
