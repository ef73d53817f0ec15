//! Lends the connection of an executor to a handler, and runs the handler so that it can neither panic nor run for ever.

use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel::connection::{Connection, LoadConnection, TransactionManager};
use evented_diesel::spi::{BlockingExecutor, EventedBackend, Executor, ready};

use crate::failure::Failure;
use crate::handler::BoxFuture;

/// An executor over one connection, which it can lend.
pub(crate) trait Lend<DB: EventedBackend>: Executor<DB> {
    /// The connection.
    type Conn: Send + 'static;
    /// Lends the connection.
    fn conn(&mut self) -> &mut Self::Conn;
    /// Returns how many transactions and savepoints are open.
    fn depth(&mut self) -> QueryResult<u32>;
    /// Runs a future for at most this time.
    fn limit<T: Send>(
        work: impl Future<Output = T> + Send,
        time: Duration,
    ) -> impl Future<Output = Result<T, Broken>> + Send;
    /// Runs what blocks its thread, on a thread on which it may.
    fn block(work: BoxFuture<'static, Called>) -> impl Future<Output = Called> + Send;
}

impl<DB, P> Lend<DB> for BlockingExecutor<P>
where
    DB: EventedBackend,
    P: DerefMut<Target: LoadConnection<Backend = DB> + Send + Sized + 'static> + Send,
{
    type Conn = P::Target;

    fn conn(&mut self) -> &mut P::Target {
        &mut self.0
    }

    fn depth(&mut self) -> QueryResult<u32> {
        let status =
            <P::Target as Connection>::TransactionManager::transaction_manager_status_mut(&mut *self.0);
        Ok(status.transaction_depth()?.map_or(0, std::num::NonZero::get))
    }

    // A blocking handler cannot be stopped: it is noticed when it returns.
    async fn limit<T: Send>(work: impl Future<Output = T> + Send, time: Duration) -> Result<T, Broken> {
        let began = Instant::now();
        let done = ready(work).ok_or(Broken::Waits)?;
        if began.elapsed() <= time { Ok(done) } else { Err(Broken::TimedOut(time)) }
    }

    async fn block(work: BoxFuture<'static, Called>) -> Called {
        ready(work).unwrap_or(Called::Broken(Broken::Waits))
    }
}

#[cfg(feature = "__async")]
mod asynchronous {
    use std::ops::DerefMut;
    use std::time::Duration;

    use diesel::QueryResult;
    use diesel_async::{AsyncConnection, TransactionManager};
    use evented_diesel::spi::{AsyncExecutor, EventedBackend, ready};

    use crate::handler::BoxFuture;
    use crate::lend::{Broken, Called, Lend};

    impl<DB, P> Lend<DB> for AsyncExecutor<P>
    where
        DB: EventedBackend,
        P: DerefMut<Target: AsyncConnection<Backend = DB> + Send + Sized + 'static> + Send,
    {
        type Conn = P::Target;

        fn conn(&mut self) -> &mut P::Target {
            &mut self.0
        }

        fn depth(&mut self) -> QueryResult<u32> {
            let status = <P::Target as AsyncConnection>::TransactionManager::transaction_manager_status_mut(
                &mut *self.0,
            );
            Ok(status.transaction_depth()?.map_or(0, std::num::NonZero::get))
        }

        async fn limit<T: Send>(work: impl Future<Output = T> + Send, time: Duration) -> Result<T, Broken> {
            tokio::time::timeout(time, work).await.map_err(|_| Broken::TimedOut(time))
        }

        async fn block(work: BoxFuture<'static, Called>) -> Called {
            let called = tokio::task::spawn_blocking(move || ready(work)).await;
            match called {
                Ok(called) => called.unwrap_or(Called::Broken(Broken::Waits)),
                // Its panics are caught: the runtime shuts down.
                Err(ended) => Called::Broken(Broken::Panicked(ended.to_string())),
            }
        }
    }
}

/// Why a handler has not returned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the handler panicked: {0}")]
    Panicked(String),
    #[error("the handler took longer than {0:?}")]
    TimedOut(Duration),
    #[error("the handler waits as only async handlers do, and its connection is blocking")]
    Waits,
    #[error("the handler left a transaction open, or ended the one that it was called in")]
    Transaction,
}

/// Catches the panics of a future.
struct CatchPanic<F>(Pin<Box<F>>);

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(text_of(panic.as_ref()))),
        }
    }
}

/// Returns the message of a panic.
fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// How a call of a handler ended.
pub(crate) enum Called {
    /// The handler has returned.
    Returned(Result<(), Failure>),
    /// It has not, or not as it should: the connection is of no further use.
    Broken(Broken),
}

/// Runs an effect, and catches its panics.
pub(crate) async fn caught(work: impl Future<Output = Result<(), Failure>> + Send) -> Called {
    match CatchPanic(Box::pin(work)).await {
        Ok(result) => Called::Returned(result),
        Err(panic) => Called::Broken(Broken::Panicked(panic)),
    }
}

/// Runs a handler.
pub(crate) async fn guarded<DB: EventedBackend, E: Lend<DB>>(
    work: impl Future<Output = Result<(), Failure>> + Send,
    time: Duration,
) -> Called {
    match E::limit(CatchPanic(Box::pin(work)), time).await {
        Ok(Ok(result)) => Called::Returned(result),
        Ok(Err(panic)) => Called::Broken(Broken::Panicked(panic)),
        Err(broken) => Called::Broken(broken),
    }
}
