//! Publishes delayed domain events before their time.

use std::marker::PhantomData;

use evented_diesel::spi::{EventedBackend, Executor, Operation, Statement, publish_due_of, sealed};
use evented_diesel::{Bus, Error};

use crate::store::write;

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
        let table = format!("{}_delayed", B::TABLE);
        let mut statement: Statement<'_, DB> = Statement::new("UPDATE ");
        // Far enough back for every time that is to come, and in their order.
        statement.identifier(&table).sql(" SET due = due - ").value(4_000_000_000_000_i64);
        statement.sql(" WHERE due > 0");
        write(executor, statement).await?;
        publish_due_of(executor, B::TABLE).await
    }
}
