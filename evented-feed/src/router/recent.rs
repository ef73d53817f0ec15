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

    pub(super) fn keep(&mut self, delivery: &Delivery<M>) {
        // One end is enough: most transactions do not touch the model, and deliver only an end.
        let last = self.deliveries.back();
        if matches!((delivery, last), (Delivery::EndOfTransaction, None | Some(Delivery::EndOfTransaction))) {
            return;
        }
        self.changes += usize::from(!matches!(delivery, Delivery::EndOfTransaction));
        self.deliveries.push_back(delivery.clone());
        while self.changes > self.capacity
            || matches!(self.deliveries.front(), Some(Delivery::EndOfTransaction))
        {
            match self.deliveries.pop_front() {
                Some(Delivery::Change(change)) => self.from = change.position,
                Some(Delivery::Unreadable(unreadable)) => self.from = unreadable.position,
                Some(Delivery::EndOfTransaction) => continue,
                None => return,
            }
            self.changes -= 1;
        }
    }
}
