//! Runs a hub on a task, with an async connection.

use std::future::Future;
use std::sync::Arc;

use diesel_async::AsyncConnection;
use evented_diesel::spi::EventedBackend;

use crate::hub::worker::Worker;
use crate::hub::{Hub, HubBuilder, StartError};
use crate::run::{BoxError, Connector, Task, TaskConnector};
use crate::source::log::LogSource;

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
        let mut connector = TaskConnector::new(connect);
        let executor = Connector::<C::Backend>::connect(&mut connector).await.map_err(StartError::Connect)?;
        let source =
            LogSource::<C::Backend, _, _>::open(executor, connector, Task, interval, plan, cache_size)
                .await?;
        shared.update_status(|status| status.connected = true);
        tokio::spawn(Worker { shared: Arc::clone(&shared), source }.run());
        Ok(Hub::new(shared, None))
    }
}
