//! Runs a hub on a thread, with a blocking connection.

use std::sync::Arc;

use diesel::connection::LoadConnection;
use evented_diesel::spi::{EventedBackend, ready};

use crate::hub::worker::Worker;
use crate::hub::{Hub, HubBuilder, StartError};
use crate::run::{BoxError, Connector, Thread, ThreadConnector};
use crate::source::log::LogSource;

impl HubBuilder {
    /// Starts the hub on its own thread. `connect` opens the hub's blocking connection, and opens it again after it is
    /// lost.
    ///
    /// The hub delivers the changes that are committed after this returns. The hub keeps the connection: a pooled
    /// connection never returns to its pool.
    ///
    /// # Errors
    ///
    /// [`StartError::Connect`] if `connect` fails; [`StartError::Log`] if a log cannot be read; [`StartError::Thread`];
    /// [`StartError::NotReady`].
    pub fn start<C, E, F>(self, connect: F) -> Result<Hub, StartError>
    where
        C: LoadConnection<Backend: EventedBackend> + Send + 'static,
        E: Into<BoxError> + 'static,
        F: FnMut() -> Result<C, E> + Send + 'static,
    {
        let Self { plan, shared, interval, cache_size } = self;
        let mut connector = ThreadConnector(connect);
        let opened = ready(async {
            let executor =
                Connector::<C::Backend>::connect(&mut connector).await.map_err(StartError::Connect)?;
            let source =
                LogSource::<C::Backend, _, _>::open(executor, connector, Thread, interval, plan, cache_size);
            Ok::<_, StartError>(source.await?)
        });
        let source = opened.unwrap_or(Err(StartError::NotReady))?;
        shared.update_status(|status| status.connected = true);
        let worker = Worker { shared: Arc::clone(&shared), source };
        let thread = std::thread::Builder::new().name("evented-hub".to_owned());
        let thread = thread.spawn(move || {
            let _ = ready(worker.run());
        });
        Ok(Hub::new(shared, Some(thread.map_err(StartError::Thread)?)))
    }
}
