//! `bus prune`: removes old domain events.

use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::Bus;
use evented_diesel::spi::{EventedBackend, Executor, Operation};

/// How many events were removed, and the slowest subscriber, if it has not handled all events of this age.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) bus: &'static str,
    pub(crate) removed: usize,
    pub(crate) held_by: Option<String>,
}

/// Removes the events of a bus that are older, and that every subscriber has handled.
pub(crate) async fn run<DB: EventedBackend, B: Bus, E: Executor<DB>>(
    executor: &mut E,
    older_than: Duration,
) -> Result<Done, Failure> {
    let bar = Bar::waiting(format!("{}: prune", B::TABLE)).ticking();
    let pruned = evented_react::prune::<B>(older_than).perform(executor).await;
    bar.end();
    let pruned = pruned?;
    Ok(Done { bus: B::TABLE, removed: pruned.removed, held_by: pruned.held_by })
}
