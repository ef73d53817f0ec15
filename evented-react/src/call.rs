//! Does the work of one delivery: calls its handler, or computes its row.

use std::sync::Arc;

use evented_core::KeyValue;
use evented_diesel::Error;
use evented_diesel::spi::EventedBackend;

use crate::failure::{BoxError, Failure, Verdict};
use crate::item::{Item, Work};
use crate::lend::{Broken, Called, Lend, caught, guarded};
use crate::refresh::{KEYS_PER_STATEMENT, lock_rows, refresh};
use crate::store::{IsLocked, failed};
use crate::subscriber::Subscriber;
use crate::telemetry;

/// Why a delivery was not handled.
pub(crate) enum NotHandled {
    /// The handler failed. `broken`: the connection is of no further use.
    Failed { failure: Failure, broken: bool },
    /// The connection was lost, and the handler is not the cause.
    Lost(Error),
}

impl From<Failure> for NotHandled {
    fn from(failure: Failure) -> Self {
        Self::Failed { failure, broken: false }
    }
}

/// Calls the handler of a delivery, or computes its row.
pub(crate) async fn call<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    item: &Item<E::Conn>,
    attempt: u32,
    depth: u32,
) -> Result<(), NotHandled> {
    match &item.work {
        Work::Unreadable { reason, .. } => {
            Err(Failure { verdict: Verdict::Unreadable, error: reason.clone().into() }.into())
        }
        // An effect runs before the transaction that stores its end.
        Work::Effect(_) => Ok(()),
        Work::Refresh(key) => Ok(refresh_rows(executor, subscriber, std::slice::from_ref(key)).await?),
        Work::Call(work) => {
            let span = telemetry::handle(&subscriber.name, item.event, attempt);
            let place = item.place(&subscriber.name, attempt);
            let called = guarded::<DB, E>(work.call(place, executor.conn()), subscriber.timeout);
            match telemetry::within(span, called).await {
                Called::Returned(result) => match executor.depth() {
                    Ok(now) if now == depth => Ok(result?),
                    Ok(_) => Err(broken(Broken::Transaction)),
                    // Diesel does not know the state of a transaction whose connection is gone.
                    Err(error) => Err(NotHandled::Lost(failed(error))),
                },
                Called::Broken(reason) => Err(broken(reason)),
            }
        }
    }
}

/// Runs the effect of a delivery, outside of a transaction.
pub(crate) async fn perform<DB: EventedBackend, E: Lend<DB>>(
    subscriber: &Subscriber<E::Conn>,
    item: &Arc<Item<E::Conn>>,
    attempt: u32,
) -> Result<(), Failure> {
    let Work::Effect(effect) = &item.work else { return Ok(()) };
    let span = telemetry::handle(&subscriber.name, item.event, attempt);
    #[cfg(feature = "__async")]
    let is_blocking = effect.is_blocking();
    #[cfg(not(feature = "__async"))]
    let is_blocking = true;
    let called = if is_blocking {
        let (item, name) = (Arc::clone(item), subscriber.name.clone());
        let work = async move {
            let Work::Effect(effect) = &item.work else { return Called::Returned(Ok(())) };
            caught(effect.call(item.place(&name, attempt))).await
        };
        telemetry::within(span, E::block(Box::pin(work))).await
    } else {
        let work = effect.call(item.place(&subscriber.name, attempt));
        telemetry::within(span, guarded::<DB, E>(work, subscriber.timeout)).await
    };
    match called {
        Called::Returned(result) => result,
        Called::Broken(reason) => Err(Failure::retry(reason)),
    }
}

fn broken(reason: Broken) -> NotHandled {
    NotHandled::Failed { failure: Failure::retry(reason), broken: true }
}

/// Computes the rows of some keys of a derived table.
pub(crate) async fn refresh_rows<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    keys: &[KeyValue],
) -> Result<(), Failure> {
    let Some(table) = &subscriber.table else {
        let reason: BoxError = "the subscriber keeps no derived table".into();
        return Err(Failure::dead(reason));
    };
    if table.inline {
        // A write of the user's may hold some of the rows and wait for others, in its own order. So a batch waits for none of
        // them: if one is locked, the rows are computed one by one.
        let waits = keys.len() == 1;
        for lock in lock_rows::<DB>(table, keys, waits) {
            let locked = executor.load::<IsLocked>(lock).await?;
            if !locked.first().is_some_and(|row| row.0) {
                let reason: BoxError = "a write computes one of the rows".into();
                return Err(Failure { verdict: Verdict::Conflict, error: reason });
            }
        }
    }
    for keys in keys.chunks(KEYS_PER_STATEMENT) {
        for statement in refresh::<DB>(table, keys) {
            executor.execute(statement).await?;
        }
    }
    Ok(())
}
