//! What a handler receives.

use std::ops::Deref;

use evented_core::Position;
use evented_diesel::read::SourceChange;
use evented_diesel::spi::log_offset;
use evented_diesel::{Bus as _, DomainEvent, Model};
use uuid::Uuid;

/// A change that a handler receives, with its place in the subscriber's work.
///
/// It dereferences to what the subscriber subscribed to: [`before`](evented_feed::Change::before),
/// [`after`](evented_feed::Change::after) and the other methods of [`Change`](evented_feed::Change) are there.
#[derive(Debug)]
pub struct Delivery<'a, T> {
    pub(crate) value: &'a T,
    pub(crate) place: Place<'a>,
}

/// The place of a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) subscriber: &'a str,
    pub(crate) event: Uuid,
    pub(crate) position: Position,
    pub(crate) key: &'a str,
    /// The input, by its index among the inputs of the subscriber.
    pub(crate) input: i32,
    pub(crate) attempt: u32,
}

impl<T> Delivery<'_, T> {
    /// Returns the id of the event. A command that the handler runs names it with `caused_by`.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.place.event
    }

    /// Returns the position of the event in its log.
    #[must_use]
    pub fn position(&self) -> Position {
        self.place.position
    }

    /// Returns the name of the subscriber.
    #[must_use]
    pub fn subscriber(&self) -> &str {
        self.place.subscriber
    }

    /// Returns the key of the delivery, with its kind, as text. Deliveries of one key are handled one after the other.
    #[must_use]
    pub fn key(&self) -> &str {
        self.place.key
    }

    /// Returns a text that is the same at every attempt of this delivery, on every machine, and of no other delivery. Give it to
    /// a service outside of the database, so that a delivery which is tried again has no second effect there.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let Place { subscriber, event, input, key, .. } = self.place;
        format!("{subscriber}/{event}/{input}/{key}")
    }

    /// Returns the number of the attempt, from 1. Attempts that did not count are not in it.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.place.attempt
    }
}

impl<E: DomainEvent> Delivery<'_, E> {
    /// Returns an operation that reads the change which the event was published with, from the log of the model `M`: the event of the
    /// command, and the record before and after it. It returns `None` if the event was published without a command, or by a command on
    /// another model.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # mod example {
    /// use diesel::prelude::*;
    /// use evented_diesel::DomainEvent;
    /// use evented_diesel::prelude::*;
    /// use evented_react::{Delivery, Failure};
    /// # use serde::{Deserialize, Serialize};
    /// # diesel::table! { orders (id) { id -> Integer, status -> Text, } }
    /// #
    /// # #[derive(Evented, Queryable, Selectable, Clone)]
    /// # #[diesel(table_name = orders)]
    /// # pub struct Order { pub id: i32, pub status: String }
    /// #
    /// #[derive(DomainEvent, Serialize, Deserialize)]
    /// #[domain_event(name = "status_changed", key = order)]
    /// struct StatusChanged { order: i32 }
    ///
    /// fn handle(event: Delivery<'_, StatusChanged>, conn: &mut SqliteConnection) -> Result<(), Failure> {
    ///     let Some(change) = event.change::<Order>().run(conn)? else { return Ok(()) };
    ///     if let (Some(before), Some(after)) = (change.before, change.after) {
    ///         println!("order {}: {} became {}", event.order, before.status, after.status);
    ///     }
    ///     Ok(())
    /// }
    /// # }
    /// ```
    pub fn change<M: Model>(&self) -> SourceChange<M> {
        SourceChange::of(E::Bus::name(), log_offset(self.place.position))
    }
}

impl<T> Clone for Delivery<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Delivery<'_, T> {}

impl<T> Deref for Delivery<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}
