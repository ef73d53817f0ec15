//! Domain events with their types erased. No connection is needed to decode them.

use std::marker::PhantomData;

use crate::commands::publish;
use crate::failure::Failure;
use evented_diesel::{Bus, DomainEvent, Publish};

/// The commands of a domain event.
pub(crate) trait AnyEvent: Send + Sync {
    fn name(&self) -> &'static str;
    /// The name of the event's bus.
    fn bus(&self) -> &'static str;
    /// Decodes an event, for the operation that publishes it.
    fn decode(&self, json: &str) -> Result<Publish, Failure>;
}

/// A domain event `T`.
struct Event<T>(PhantomData<fn() -> T>);

pub(crate) fn event<T: DomainEvent>() -> Box<dyn AnyEvent> {
    Box::new(Event::<T>(PhantomData))
}

impl<T: DomainEvent> AnyEvent for Event<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn bus(&self) -> &'static str {
        <T::Bus as Bus>::TABLE
    }
    fn decode(&self, json: &str) -> Result<Publish, Failure> {
        publish::decode::<T>(json)
    }
}
