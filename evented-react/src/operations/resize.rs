//! Divides a subscriber into another number of parts.

use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Operation, Transaction, sealed};

use crate::divide::divide;
use crate::store::{self, SubscriberRow, load, subject, write};

/// Divides the keys of a subscriber into another number of parts, at least 1: so many deliveries, of different keys, are
/// handled at the same time over all workers. Returns whether it is registered.
///
/// Workers that run take the new parts within a second. Nothing is missed and nothing is handled twice, also while workers
/// handle deliveries and while some are set aside. The programs need no change: [`Subscriber::parts`] says how many parts the
/// version begins with.
///
/// The new parts begin where the slowest of the old parts stood, and pass over what the others have handled. So the subscriber
/// reads a part of the log again, which takes a moment if one of its parts is far behind.
///
/// [`Subscriber::parts`]: crate::Subscriber::parts
pub fn resize(subscriber: impl Into<String>, parts: u16) -> Resize {
    Resize { subscriber: subscriber.into(), parts: i32::from(parts.max(1)) }
}

/// Divides a subscriber into another number of parts. Returned by [`resize`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Resize {
    subscriber: String,
    parts: i32,
}

impl sealed::Operation for Resize {}

impl<DB: EventedBackend> Operation<DB> for Resize {
    type Output = bool;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<bool, Error> {
        let name = subject(&self.subscriber);
        let transaction = Transaction::around(executor, &name, true).await?;
        let resized = self.in_transaction(executor).await;
        transaction.close(executor, &name, resized).await.map_err(|error| error.about(name))
    }
}

impl Resize {
    async fn in_transaction<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
    ) -> Result<bool, Error> {
        // Before anything is read, so that SQLite need not upgrade the transaction.
        write(executor, store::lock_subscriber(&self.subscriber)).await?;
        let rows = load::<SubscriberRow, _, _>(executor, store::subscriber_row(&self.subscriber)).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(false) };
        divide(executor, row, self.parts).await?;
        Ok(true)
    }
}
