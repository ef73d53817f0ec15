//! Routes to subscribers that resumed from an earlier position and still read what was committed before.

use evented_core::Position;
use evented_diesel::Model;
use evented_diesel::spi::Delivery;
use evented_diesel::stream::Interruption;

use super::Router;
use super::subscriber::{Grouping, Phase};
use crate::feed::{FeedItem, later};

/// A subscriber that is catching up.
pub(crate) struct CatchingUp {
    pub(crate) id: u64,
    /// The position up to which it has received everything.
    pub(crate) after: Position,
    /// How many events its buffer has room for.
    pub(crate) room: usize,
}

impl<M: Model> Router<M> {
    /// The subscribers that are catching up.
    pub(crate) fn catching_up(&self) -> Vec<CatchingUp> {
        let of = |id: &u64| {
            let subscriber = self.subscribers.get(id)?;
            let room = subscriber.capacity.saturating_sub(subscriber.items.len());
            // One change is held back until the next one is known. Each change may end a transaction, and the end is an
            // item too.
            let events = if subscriber.grouping == Grouping::ByChange { room } else { room / 2 };
            Some(CatchingUp { id: *id, after: subscriber.after, room: events.saturating_sub(1) })
        };
        self.catching_up.iter().filter_map(of).collect()
    }

    /// Delivers to one subscriber that is catching up.
    pub(crate) fn deliver_to(&mut self, id: u64, delivery: &Delivery<M>) {
        self.round += 1;
        match delivery {
            Delivery::Change(change) => {
                let key = change.key.as_ref().map(M::key_value);
                self.deliver_change_to(id, change, key.as_ref(), Phase::CatchingUp);
                self.advance(id, change.position);
            }
            Delivery::Unreadable(unreadable) => {
                let Some(subscriber) = self.subscribers.get(&id) else { return };
                let view = subscriber.view_of(unreadable);
                self.send(id, FeedItem::Unreadable(view));
                self.advance(id, unreadable.position);
            }
            Delivery::Revised(_) => {}
            Delivery::EndOfTransaction => self.end_transaction(id),
        }
    }

    fn advance(&mut self, id: u64, to: Position) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.after = later(subscriber.after, to);
        }
    }

    /// Moves a subscriber that has received all earlier changes to the live stream.
    pub(crate) fn caught_up(&mut self, id: u64) {
        self.catching_up.remove(&id);
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.phase = Phase::Live;
            if subscriber.is_in_transaction() {
                self.in_transaction.push(id);
            }
        }
    }

    /// Ends one subscription.
    pub(crate) fn interrupt_one(&mut self, id: u64, reason: Interruption) {
        if let Some(subscriber) = self.subscribers.get(&id) {
            subscriber.end_reason.set(reason);
        }
        self.unsubscribe(id);
    }
}
