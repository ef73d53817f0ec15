//! The traits of effects, blocking and async, and how they are called without their types.

use std::future::Future;
use std::sync::Arc;

use crate::delivery::{Delivery, Place};
use crate::failure::Failure;
use crate::handler::BoxFuture;

/// Has an effect outside of the database for each delivery: it sends a mail, or calls a service.
///
/// An effect gets no connection and runs in no transaction, so it can take long without holding up anybody but the deliveries of
/// its key. A crash between the effect and the commit of the progress makes it run again: at least once, with the same
/// [`idempotency_key`](Delivery::idempotency_key).
///
/// A closure `Fn(Delivery<'_, T>) -> Result<(), Failure>` is an effect, too. A worker runs it on a thread of a pool, which has 500
/// threads at most (`BLOCKING_MAX_THREADS`), or on the blocking threads of tokio.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no effect of `{T}`",
    note = "implement `Effect<{T}>`, or `EffectAsync<{T}>` for a worker on async connections",
    note = "a closure needs the type of its argument: `|change: Delivery<'_, Change<Item>>| …`"
)]
pub trait Effect<T>: Send + Sync {
    /// Has the effect. It cannot be stopped: the [`timeout`](crate::Subscriber::timeout) of the subscriber does not end it.
    ///
    /// # Errors
    ///
    /// The reason why the effect is to be tried again, or not.
    fn run(&self, delivery: Delivery<'_, T>) -> Result<(), Failure>;
}

impl<T, F> Effect<T> for F
where
    F: Fn(Delivery<'_, T>) -> Result<(), Failure> + Send + Sync,
{
    fn run(&self, delivery: Delivery<'_, T>) -> Result<(), Failure> {
        self(delivery)
    }
}

/// Has an effect outside of the database for each delivery, as [`Effect`] does, on a task of tokio. It needs a worker on async
/// connections.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no effect of `{T}`",
    note = "implement `EffectAsync<{T}>`, or `Effect<{T}>` for a blocking one"
)]
pub trait EffectAsync<T>: Send + Sync {
    /// Has the effect. It is stopped after the [`timeout`](crate::Subscriber::timeout) of the subscriber, and tried again.
    ///
    /// # Errors
    ///
    /// The reason why the effect is to be tried again, or not.
    fn run(&self, delivery: Delivery<'_, T>) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An effect, blocking or async, without its type.
pub(crate) trait Perform<T>: Send + Sync {
    /// Whether it blocks the thread that polls it.
    #[cfg(feature = "__async")]
    fn is_blocking(&self) -> bool;
    fn perform<'a>(&'a self, delivery: Delivery<'a, T>) -> BoxFuture<'a, Result<(), Failure>>;
}

/// An effect that [`Subscriber::effect`](crate::Subscriber::effect) takes: an [`Effect`] or an [`EffectAsync`]. `K` says which.
pub trait IntoEffect<T, C, K>: sealed::IntoEffect<T, C, K> {}
impl<T, C, K, E: sealed::IntoEffect<T, C, K>> IntoEffect<T, C, K> for E {}

/// Only [`Effect`] and [`EffectAsync`] make effects.
pub(crate) mod sealed {
    use std::sync::Arc;

    use crate::delivery::Delivery;
    use crate::effect::{Effect, Perform};
    use crate::failure::Failure;
    use crate::handler::{Blocking, BoxFuture};

    pub trait IntoEffect<T, C, K> {
        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn into_perform(self) -> Arc<dyn Perform<T>>;
    }

    struct OnThread<E>(E);

    impl<T: Sync, E: Effect<T>> Perform<T> for OnThread<E> {
        #[cfg(feature = "__async")]
        fn is_blocking(&self) -> bool {
            true
        }

        fn perform<'a>(&'a self, delivery: Delivery<'a, T>) -> BoxFuture<'a, Result<(), Failure>> {
            // The effect runs when the future is polled, within what catches its panics.
            Box::pin(async move { self.0.run(delivery) })
        }
    }

    impl<T: Sync, C, E: Effect<T> + 'static> IntoEffect<T, C, Blocking> for E {
        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn into_perform(self) -> Arc<dyn Perform<T>> {
            Arc::new(OnThread(self))
        }
    }

    #[cfg(feature = "__async")]
    mod asynchronous {
        use std::sync::Arc;

        use diesel_async::AsyncConnection;

        use super::IntoEffect;
        use crate::delivery::Delivery;
        use crate::effect::{EffectAsync, Perform};
        use crate::failure::Failure;
        use crate::handler::{Asynchronous, BoxFuture};

        struct OnTask<E>(E);

        impl<T: Sync, E: EffectAsync<T>> Perform<T> for OnTask<E> {
            #[cfg(feature = "__async")]
            fn is_blocking(&self) -> bool {
                false
            }

            fn perform<'a>(&'a self, delivery: Delivery<'a, T>) -> BoxFuture<'a, Result<(), Failure>> {
                // Also what runs before the first `await` runs within what catches its panics.
                Box::pin(async move { self.0.run(delivery).await })
            }
        }

        impl<T: Sync, C: AsyncConnection, E: EffectAsync<T> + 'static> IntoEffect<T, C, Asynchronous> for E {
            #[expect(private_interfaces, reason = "the trait is sealed")]
            fn into_perform(self) -> Arc<dyn Perform<T>> {
                Arc::new(OnTask(self))
            }
        }
    }
}

/// An effect with the value that it receives, without their types.
pub(crate) trait CallEffect: Send + Sync {
    /// Whether it blocks the thread that polls it.
    #[cfg(feature = "__async")]
    fn is_blocking(&self) -> bool;
    fn call<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), Failure>>;
}

/// An effect with the value that it receives.
pub(crate) struct EffectCall<T> {
    pub(crate) value: T,
    pub(crate) effect: Arc<dyn Perform<T>>,
}

impl<T: Send + Sync> CallEffect for EffectCall<T> {
    #[cfg(feature = "__async")]
    fn is_blocking(&self) -> bool {
        self.effect.is_blocking()
    }

    fn call<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), Failure>> {
        self.effect.perform(Delivery { value: &self.value, place })
    }
}
