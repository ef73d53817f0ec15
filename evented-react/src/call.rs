//! Does the work of one delivery: calls its handler, or computes its row.

use evented_core::KeyValue;
use evented_diesel::spi::EventedBackend;

use crate::failure::{BoxError, Failure, Verdict};
use crate::item::{Item, Work};
use crate::lend::{Broken, Called, Lend, guarded};
use crate::refresh::{KEYS_PER_STATEMENT, lock_rows, refresh};
use crate::store::Nothing;
use crate::subscriber::Subscriber;
use crate::telemetry;

/// Calls the handler of a delivery, or computes its row. Returns with the failure whether the connection is of no further
/// use.
pub(crate) async fn call<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    item: &Item<E::Conn>,
    attempt: u32,
    depth: u32,
) -> Result<(), (Failure, bool)> {
    match &item.work {
        Work::Unreadable(reason) => {
            Err((Failure { verdict: Verdict::Unreadable, error: reason.clone().into() }, false))
        }
        Work::Refresh(key) => refresh_rows(executor, subscriber, std::slice::from_ref(key))
            .await
            .map_err(|failure| (failure, false)),
        Work::Call(work) => {
            let span = telemetry::handle(&subscriber.name, item.event, attempt);
            let place = item.place(&subscriber.name, attempt);
            let called = guarded::<DB, E>(work.call(place, executor.conn()), subscriber.timeout);
            match telemetry::within(span, called).await {
                Called::Returned(result) => {
                    if executor.depth().ok() != Some(depth) {
                        return Err((Failure::retry(Broken::Transaction), true));
                    }
                    result.map_err(|failure| (failure, false))
                }
                Called::Broken(broken) => Err((Failure::retry(broken), true)),
            }
        }
    }
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
        for lock in lock_rows::<DB>(table, keys) {
            executor.load::<Nothing>(lock).await?;
        }
    }
    for keys in keys.chunks(KEYS_PER_STATEMENT) {
        for statement in refresh::<DB>(table, keys) {
            executor.execute(statement).await?;
        }
    }
    Ok(())
}
