//! Runs a hub on a thread, with a blocking connection.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::LoadConnection;
use event_listener::{EventListener, Listener as _};
use evented_diesel::spi::{BlockingExecutor, EventedBackend, ready};

use crate::hub::worker::Worker;
use crate::hub::{Hub, HubBuilder, StartError};
use crate::source::log::{BoxError, Connector, LogSource, Pace};

struct Connect<F>(F);

impl<DB, C, E, F> Connector<DB> for Connect<F>
where
    DB: EventedBackend,
    C: LoadConnection<Backend = DB> + Send,
    E: Into<BoxError>,
    F: FnMut() -> Result<C, E> + Send,
{
    type Executor = BlockingExecutor<Box<C>>;

    async fn connect(&mut self) -> Result<Self::Executor, BoxError> {
        (self.0)().map(|conn| BlockingExecutor(Box::new(conn))).map_err(Into::into)
    }
}

struct Thread;

impl Pace for Thread {
    async fn wait_for(&self, hint: EventListener, at_most: Duration) -> bool {
        hint.wait_timeout(at_most).is_some()
    }

    async fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

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
        let mut connector = Connect(connect);
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
