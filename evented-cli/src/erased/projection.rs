//! Projections with their types erased, for one connection.

use std::marker::PhantomData;

use crate::commands::projections::{self, Rebuilt, Verified};
use crate::erased::Steps;
use evented_diesel::spi::{EventedBackend, Executor};
use evented_react::Subscriber;

/// The commands of a projection.
pub(crate) trait AnyProjection<E>: Send + Sync {
    fn name(&self) -> &str;
    fn rebuild<'a>(&'a self, executor: &'a mut E) -> Steps<'a, Rebuilt>;
    fn verify<'a>(&'a self, executor: &'a mut E) -> Steps<'a, Verified>;
}

/// A projection in a database. The commands call no handler, so `C` need not be the connection that they run on.
struct Declared<DB, C>(Subscriber<C>, PhantomData<fn() -> DB>);

pub(crate) fn projection<DB, C, E>(projection: Subscriber<C>) -> Box<dyn AnyProjection<E>>
where
    DB: EventedBackend,
    C: 'static,
    E: Executor<DB> + 'static,
{
    Box::new(Declared::<DB, C>(projection, PhantomData))
}

impl<DB: EventedBackend, C: 'static, E: Executor<DB> + 'static> AnyProjection<E> for Declared<DB, C> {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn rebuild<'a>(&'a self, executor: &'a mut E) -> Steps<'a, Rebuilt> {
        Box::pin(projections::rebuild::<DB, C, E>(executor, &self.0))
    }
    fn verify<'a>(&'a self, executor: &'a mut E) -> Steps<'a, Verified> {
        Box::pin(projections::verify::<DB, C, E>(executor, &self.0))
    }
}
