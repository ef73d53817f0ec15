//! Stops subscribers that must not go on.

use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor};

use crate::home::is_at_home;
use crate::store::{self, SubscriberRow, write};
use crate::worker::shared::{Served, Shared};

const COPIED: &str = "the database is a copy of the one that the subscriber ran in, and its effects could be repeated; remove it \
     here with `unsubscribe`, or let it go on with `adopt`";

/// Stops a subscriber whose database is a copy, if it stalls in copies. Returns whether it goes on.
pub(super) async fn check_home<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    (index, served): (usize, &Served<C>),
    row: &SubscriberRow,
) -> Result<bool, Error> {
    let is_at_home = !served.subscriber.stalls_in_copies() || is_at_home(executor, row).await?;
    if let Some(in_copy) = shared.state().in_copy.get_mut(index) {
        *in_copy = !is_at_home;
    }
    if is_at_home {
        if row.stalled.as_deref() == Some(COPIED) {
            write(executor, store::set_stalled(&row.name, None)).await?;
        }
        return Ok(true);
    }
    shared.state().owned_parts.retain(|owned| owned.id.subscriber != index);
    stall(shared, executor, index, COPIED).await?;
    Ok(false)
}

/// Stops a subscriber, and says why.
pub(super) async fn stall<DB: EventedBackend, E: Executor<DB>, C>(
    shared: &Shared<C>,
    executor: &mut E,
    subscriber: usize,
    reason: &str,
) -> Result<(), Error> {
    let Some(served) = shared.served.get(subscriber) else { return Ok(()) };
    crate::telemetry::stalled(&served.subscriber.name, reason);
    if let Some(stalled) = shared.state().stalled.get_mut(subscriber) {
        *stalled = Some(reason.to_owned());
    }
    write(executor, store::set_stalled(&served.subscriber.name, Some(reason))).await.map(drop)
}
