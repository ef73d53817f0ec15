//! Stores how the effects of a part ended, in a transaction each time.

use std::collections::HashSet;
use std::sync::Arc;

use evented_diesel::spi::EventedBackend;

use crate::batch::{Ends, run};
use crate::due::{finish, settle};
use crate::failure::Failure;
use crate::item::Item;
use crate::key::OrderKey;
use crate::lend::Lend;
use crate::outcome::Outcome;
use crate::part::{Part, Undone};
use crate::step::{Next, undone};
use crate::store::{self, DeferredRow, Keyed, load};
use crate::subscriber::Subscriber;

/// A delivery that was set aside, and how it ended this time.
pub(crate) struct TriedAgain<C> {
    pub(crate) row: DeferredRow,
    pub(crate) items: Vec<Arc<Item<C>>>,
    pub(crate) result: Result<(), Failure>,
}

/// What has ended and is not stored.
pub(crate) struct Settlement<C> {
    /// The first deliveries of the queue: whole events.
    pub(crate) items: Vec<Arc<Item<C>>>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) tried_again: Vec<TriedAgain<C>>,
}

/// What was stored.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) taken: usize,
    pub(crate) handled: usize,
    pub(crate) set_aside: usize,
    /// The numbers of the deliveries that were tried again.
    pub(crate) tried_again: Vec<i64>,
    /// The keys whose deliveries are set aside; `None` if they were not read.
    pub(crate) waiting: Option<HashSet<OrderKey>>,
    /// Why the rest was not stored.
    pub(crate) undone: Option<Next>,
}

/// Stores how effects ended.
pub(crate) async fn store_outcomes<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    settlement: &Settlement<E::Conn>,
) -> Settled {
    let mut settled = Settled::default();
    if let Err(why) = store_all(executor, subscriber, part, settlement, &mut settled).await {
        settled.undone = Some(undone(why));
    }
    settled
}

async fn store_all<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    settlement: &Settlement<E::Conn>,
    settled: &mut Settled,
) -> Result<(), Undone> {
    for tried in &settlement.tried_again {
        again(executor, subscriber, part, tried, settled).await?;
        settled.tried_again.push(tried.row.number);
    }
    if !settlement.items.is_empty() {
        let ends = Ends::Known(&settlement.outcomes);
        let done = run(executor, subscriber, part, &settlement.items, ends).await?;
        settled.taken = settlement.items.len();
        settled.handled += done.handled;
        settled.set_aside += done.set_aside;
    }
    // Read after the commits: nobody but the owner of the part adds a key, but an operator may have removed one.
    let keys = load::<Keyed, _, _>(executor, store::waiting_keys(&subscriber.name, part.number)).await?;
    settled.waiting = Some(keys.into_iter().map(|key| key.0).collect());
    Ok(())
}

/// Stores how a delivery ended that was tried again.
async fn again<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    tried: &TriedAgain<E::Conn>,
    settled: &mut Settled,
) -> Result<(), Undone> {
    let failure = match &tried.result {
        Ok(()) => match finish(executor, subscriber, part, &tried.row, &tried.items).await {
            Ok(_) => {
                settled.handled += 1;
                return Ok(());
            }
            // This program cannot read the event.
            Err(Undone::Failed { failure, .. }) => failure,
            Err(other) => return Err(other),
        },
        Err(failure) => failure.copy(),
    };
    settled.set_aside += 1;
    settle(executor, subscriber, part, &tried.row, &failure).await
}
