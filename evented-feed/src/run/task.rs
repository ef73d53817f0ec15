//! Runs a loop on a tokio task, with an async connection.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use diesel_async::AsyncConnection;
use event_listener::EventListener;
use evented_diesel::spi::{AsyncExecutor, EventedBackend};

use crate::run::connector::{BoxError, Connector, Pace};

/// Opens async connections with a function that returns a future `T`.
#[derive(Debug)]
pub struct TaskConnector<F, T>(F, PhantomData<fn() -> T>);

impl<F, T> TaskConnector<F, T> {
    /// Opens connections with this function.
    pub fn new(connect: F) -> Self {
        Self(connect, PhantomData)
    }
}

impl<DB, C, E, F, T> Connector<DB> for TaskConnector<F, T>
where
    DB: EventedBackend,
    C: AsyncConnection<Backend = DB> + Send,
    E: Into<BoxError>,
    F: FnMut() -> T + Send,
    T: Future<Output = Result<C, E>> + Send,
{
    type Executor = AsyncExecutor<Box<C>>;

    async fn connect(&mut self) -> Result<Self::Executor, BoxError> {
        (self.0)().await.map(|conn| AsyncExecutor(Box::new(conn))).map_err(Into::into)
    }
}

/// Waits without blocking the thread.
#[derive(Debug)]
pub struct Task;

impl Pace for Task {
    async fn wait_for(&self, hint: EventListener, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, hint).await.is_ok()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
