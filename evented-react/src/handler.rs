//! The traits of handlers, blocking and async, and how they are called without their types.

use std::future::Future;
use std::pin::Pin;

use crate::delivery::Delivery;
use crate::failure::Failure;

/// Handles deliveries on a blocking connection, in the transaction that also stores that they were handled.
///
/// A closure `Fn(Delivery<'_, T>, &mut C) -> Result<(), Failure>` is a handler, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{T}` on a connection `{C}`",
    note = "implement `Handle<{T}, {C}>`, or `HandleAsync<{T}, {C}>` for an async connection",
    note = "a closure needs the types of its arguments: `|change: Delivery<'_, Change<Item>>, conn: &mut PgConnection| …`"
)]
pub trait Handle<T, C>: Send + Sync {
    /// Handles a delivery: any query of Diesel's, any command of evented's.
    ///
    /// # Errors
    ///
    /// The reason why the delivery was not handled. What the handler wrote is rolled back.
    fn handle(&self, delivery: Delivery<'_, T>, conn: &mut C) -> Result<(), Failure>;
}

impl<T, C, F> Handle<T, C> for F
where
    F: Fn(Delivery<'_, T>, &mut C) -> Result<(), Failure> + Send + Sync,
{
    fn handle(&self, delivery: Delivery<'_, T>, conn: &mut C) -> Result<(), Failure> {
        self(delivery, conn)
    }
}

/// Handles deliveries on an async connection, in the transaction that also stores that they were handled.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{T}` on a connection `{C}`",
    note = "implement `HandleAsync<{T}, {C}>`, or `Handle<{T}, {C}>` for a blocking connection"
)]
pub trait HandleAsync<T, C>: Send + Sync {
    /// Handles a delivery: any query of diesel-async's, any command of evented's.
    ///
    /// # Errors
    ///
    /// The reason why the delivery was not handled. What the handler wrote is rolled back.
    fn handle(
        &self,
        delivery: Delivery<'_, T>,
        conn: &mut C,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A future on the heap.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A handler, blocking or async, without its type.
pub(crate) trait Reaction<T, C>: Send + Sync {
    fn react<'a>(&'a self, delivery: Delivery<'a, T>, conn: &'a mut C) -> BoxFuture<'a, Result<(), Failure>>;
}

/// A handler that [`Subscriber::on`](crate::Subscriber::on) takes: a [`Handle`] or a [`HandleAsync`]. `K` says which.
pub trait IntoHandler<T, C, K>: sealed::IntoHandler<T, C, K> {}
impl<T, C, K, H: sealed::IntoHandler<T, C, K>> IntoHandler<T, C, K> for H {}

/// Marks a handler as a [`Handle`].
#[derive(Debug)]
pub struct Blocking;

/// Marks a handler as a [`HandleAsync`].
#[derive(Debug)]
pub struct Asynchronous;

/// Only [`Handle`] and [`HandleAsync`] make handlers.
pub(crate) mod sealed {
    use std::sync::Arc;

    use crate::delivery::Delivery;
    use crate::failure::Failure;
    use crate::handler::{Asynchronous, Blocking, BoxFuture, Handle, HandleAsync, Reaction};

    pub trait IntoHandler<T, C, K> {
        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn into_reaction(self) -> Arc<dyn Reaction<T, C>>;
    }

    struct OnThread<H>(H);

    impl<T: Sync, C: Send, H: Handle<T, C>> Reaction<T, C> for OnThread<H> {
        fn react<'a>(
            &'a self,
            delivery: Delivery<'a, T>,
            conn: &'a mut C,
        ) -> BoxFuture<'a, Result<(), Failure>> {
            // The handler runs when the future is polled, within what catches its panics.
            Box::pin(async move { self.0.handle(delivery, conn) })
        }
    }

    impl<T: Sync, C: Send, H: Handle<T, C> + 'static> IntoHandler<T, C, Blocking> for H {
        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn into_reaction(self) -> Arc<dyn Reaction<T, C>> {
            Arc::new(OnThread(self))
        }
    }

    struct OnTask<H>(H);

    impl<T: Sync, C: Send, H: HandleAsync<T, C>> Reaction<T, C> for OnTask<H> {
        fn react<'a>(
            &'a self,
            delivery: Delivery<'a, T>,
            conn: &'a mut C,
        ) -> BoxFuture<'a, Result<(), Failure>> {
            // Also what runs before the first `await` runs within what catches its panics.
            Box::pin(async move { self.0.handle(delivery, conn).await })
        }
    }

    impl<T: Sync, C: Send, H: HandleAsync<T, C> + 'static> IntoHandler<T, C, Asynchronous> for H {
        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn into_reaction(self) -> Arc<dyn Reaction<T, C>> {
            Arc::new(OnTask(self))
        }
    }
}
