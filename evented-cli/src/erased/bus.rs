//! Buses with their types erased, for one connection.

use std::marker::PhantomData;
use std::time::Duration;

use crate::commands::prune;
use crate::erased::{Of, Steps};
use evented_diesel::Bus;
use evented_diesel::spi::{EventedBackend, Executor};

/// The commands of a bus.
pub(crate) trait AnyBus<E>: Send + Sync {
    fn name(&self) -> &'static str;
    fn prune<'a>(&self, executor: &'a mut E, older_than: Duration) -> Steps<'a, prune::Done>;
}

pub(crate) fn bus<DB, B, E>() -> Box<dyn AnyBus<E>>
where
    DB: EventedBackend,
    B: Bus,
    E: Executor<DB> + 'static,
{
    Box::new(Of::<DB, B>(PhantomData))
}

impl<DB: EventedBackend, B: Bus, E: Executor<DB> + 'static> AnyBus<E> for Of<DB, B> {
    fn name(&self) -> &'static str {
        B::TABLE
    }
    fn prune<'a>(&self, executor: &'a mut E, older_than: Duration) -> Steps<'a, prune::Done> {
        Box::pin(prune::run::<DB, B, E>(executor, older_than))
    }
}
