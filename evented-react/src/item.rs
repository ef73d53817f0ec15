//! One delivery of a subscriber, without the types of its model and its handler.

use evented_core::{KeyValue, LogOffset, Position};
use uuid::Uuid;

use crate::delivery::Place;
use crate::division::Division;
use crate::effect::CallEffect;
use crate::failure::Failure;
use crate::handler::BoxFuture;
use crate::key::OrderKey;

/// A delivery, as it is queued.
pub(crate) struct Item<C> {
    /// The log, by its index among the logs of the subscriber.
    pub(crate) stream: usize,
    pub(crate) offset: LogOffset,
    pub(crate) event: Uuid,
    pub(crate) position: Position,
    pub(crate) key: OrderKey,
    /// The input that the delivery came through, by its index among the inputs of the subscriber.
    pub(crate) input: i32,
    pub(crate) work: Work<C>,
}

/// What there is to do for a delivery.
pub(crate) enum Work<C> {
    /// A handler is called.
    Call(Box<dyn Call<C>>),
    /// An effect outside of the database is had.
    Effect(Box<dyn CallEffect>),
    /// The row of a derived table is computed.
    Refresh(KeyValue),
    /// This program cannot read the event.
    Unreadable {
        reason: String,
        /// Whether the key is not known, because a function of the user's makes it. Then every part sets the event aside, and the
        /// part of the key handles it when it can be read.
        is_anywhere: bool,
    },
}

/// A handler with the change that it receives.
pub(crate) trait Call<C>: Send + Sync {
    fn call<'a>(&'a self, place: Place<'a>, conn: &'a mut C) -> BoxFuture<'a, Result<(), Failure>>;
}

impl<C> Item<C> {
    /// Returns whether a part of a division gets the delivery.
    pub(crate) fn is_of_part(&self, division: &Division, part: i32) -> bool {
        self.is_anywhere() || division.part(&self.key) == part
    }

    /// Returns whether the key is not known, so that every part gets the delivery.
    pub(crate) fn is_anywhere(&self) -> bool {
        matches!(self.work, Work::Unreadable { is_anywhere: true, .. })
    }

    /// Returns whether two deliveries are of one event. They are handled in one transaction.
    pub(crate) fn is_of_same_event(&self, other: &Self) -> bool {
        (self.stream, self.offset) == (other.stream, other.offset)
    }

    /// Returns the place of the delivery, for its handler.
    pub(crate) fn place<'a>(&'a self, subscriber: &'a str, attempt: u32) -> Place<'a> {
        Place {
            subscriber,
            event: self.event,
            position: self.position,
            key: self.key.as_str(),
            input: self.input,
            attempt,
        }
    }
}
