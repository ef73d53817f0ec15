//! Keeps the last deliveries of a stream that cannot be read again, for subscribers that resume.

use std::collections::VecDeque;

use evented_core::Position;
use evented_diesel::Model;
use evented_diesel::spi::Delivery;

/// The last deliveries of a stream.
pub(super) struct Recent<M: Model> {
    pub(super) deliveries: VecDeque<Delivery<M>>,
    /// How many of them are changes.
    changes: usize,
    /// How many changes are kept at most.
    capacity: usize,
    /// All changes after this position are in `deliveries`.
    pub(super) from: Position,
}

impl<M: Model> Recent<M> {
    #[cfg(feature = "wal")]
    pub(super) fn new(from: Position, capacity: usize) -> Self {
        Self { deliveries: VecDeque::new(), changes: 0, capacity, from }
    }

    /// Keeps a delivery. Returns those that are no longer kept, for the caller to drop.
    pub(super) fn keep(&mut self, delivery: &Delivery<M>) -> Vec<Delivery<M>> {
        let mut removed = Vec::new();
        // One end is enough: most transactions do not touch the model, and deliver only an end.
        let last = self.deliveries.back();
        if matches!((delivery, last), (Delivery::EndOfTransaction, None | Some(Delivery::EndOfTransaction))) {
            return removed;
        }
        if matches!(delivery, Delivery::Revised(_)) {
            return removed;
        }
        self.changes += usize::from(!matches!(delivery, Delivery::EndOfTransaction));
        self.deliveries.push_back(delivery.clone());
        while self.changes > self.capacity
            || matches!(self.deliveries.front(), Some(Delivery::EndOfTransaction))
        {
            let Some(first) = self.deliveries.pop_front() else { break };
            match &first {
                Delivery::Change(change) => self.from = change.position,
                Delivery::Unreadable(unreadable) => self.from = unreadable.position,
                Delivery::Revised(_) | Delivery::EndOfTransaction => continue,
            }
            self.changes -= 1;
            removed.push(first);
        }
        removed
    }
}
