//! Runs a hub on a task, with an async connection.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncConnection;
use event_listener::EventListener;
use evented_diesel::spi::{AsyncExecutor, EventedBackend};

use crate::hub::worker::Worker;
use crate::hub::{Hub, HubBuilder, StartError};
use crate::source::log::{BoxError, Connector, LogSource, Pace};

struct Connect<F, T>(F, PhantomData<fn() -> T>);

impl<DB, C, E, F, T> Connector<DB> for Connect<F, T>
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

struct Task;

impl Pace for Task {
    async fn wait_for(&self, hint: EventListener, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, hint).await.is_ok()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl HubBuilder {
    /// Starts the hub on a tokio task. `connect` opens the hub's async connection, and opens it again after it is lost.
    ///
    /// The hub delivers the changes that are committed after this returns. The hub keeps the connection: a pooled
    /// connection never returns to its pool.
    ///
    /// # Errors
    ///
    /// [`StartError::Connect`] if `connect` fails; [`StartError::Log`] if a log cannot be read.
    pub async fn spawn<C, E, F, T>(self, connect: F) -> Result<Hub, StartError>
    where
        C: AsyncConnection<Backend: EventedBackend> + Send + 'static,
        E: Into<BoxError> + 'static,
        F: FnMut() -> T + Send + 'static,
        T: Future<Output = Result<C, E>> + Send + 'static,
    {
        let Self { plan, shared, interval, cache_size } = self;
        let mut connector = Connect(connect, PhantomData);
        let executor = Connector::<C::Backend>::connect(&mut connector).await.map_err(StartError::Connect)?;
        let source =
            LogSource::<C::Backend, _, _>::open(executor, connector, Task, interval, plan, cache_size)
                .await?;
        shared.update_status(|status| status.connected = true);
        tokio::spawn(Worker { shared: Arc::clone(&shared), source }.run());
        Ok(Hub::new(shared, None))
    }
}
