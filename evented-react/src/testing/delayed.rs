//! Publishes delayed domain events before their time.

use std::marker::PhantomData;

use evented_diesel::spi::{EventedBackend, Executor, Operation, publish_all_due, sealed};
use evented_diesel::{Bus, Error};

/// Publishes all delayed events of a bus, in the order of their times, as if these had come. Returns how many.
pub fn publish_delayed<B: Bus>() -> PublishDelayed<B> {
    PublishDelayed { bus: PhantomData }
}

/// Publishes all delayed events of a bus. Returned by [`publish_delayed`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct PublishDelayed<B> {
    bus: PhantomData<fn() -> B>,
}

impl<B> sealed::Operation for PublishDelayed<B> {}

impl<DB: EventedBackend, B: Bus> Operation<DB> for PublishDelayed<B> {
    type Output = usize;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<usize, Error> {
        publish_all_due(executor, B::TABLE, Some(i64::MAX)).await
    }
}
