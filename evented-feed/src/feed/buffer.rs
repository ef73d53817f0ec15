//! The items in a subscriber's buffer.

use std::sync::{Arc, Mutex};

use evented_core::{Change, Evented, Position};
use evented_diesel::stream::{Interruption, Unreadable};

use crate::sync::lock;

/// An item in a subscriber's buffer.
pub(crate) enum FeedItem<M: Evented> {
    Change(Change<M>),
    Unreadable(Unreadable),
    /// The transaction of the changes before is complete.
    EndOfTransaction,
}

/// Why a subscription has ended; empty until it has. The router sets the reason; the feed takes it after the last item.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndReason(Arc<Mutex<Option<Interruption>>>);

impl EndReason {
    pub(crate) fn set(&self, reason: Interruption) {
        *lock(&self.0) = Some(reason);
    }

    pub(crate) fn take(&self) -> Option<Interruption> {
        lock(&self.0).take()
    }
}

/// The later one of two positions of a stream.
pub(crate) fn later(one: Position, other: Position) -> Position {
    if other > one { other } else { one }
}
