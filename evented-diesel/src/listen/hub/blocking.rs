//! A hub on a thread, with a blocking connection.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::LoadConnection;
use event_listener::{EventListener, Listener as _};

use super::super::log::source::LogSource;
use super::worker::{BoxError, Connector, Pace, Worker};
use super::{Hub, HubBuilder, StartError};
use crate::backend::Dialect;
use crate::run::blocking::{Blocking, ready};

struct Connect<F>(F);

impl<DB, C, E, F> Connector<DB> for Connect<F>
where
    DB: Dialect,
    C: LoadConnection<Backend = DB> + Send,
    E: Into<BoxError>,
    F: FnMut() -> Result<C, E> + Send,
{
    type Driver = Blocking<Box<C>>;

    async fn connect(&mut self) -> Result<Self::Driver, BoxError> {
        (self.0)().map(|conn| Blocking(Box::new(conn))).map_err(Into::into)
    }
}

struct Thread;

impl Pace for Thread {
    async fn wait_for(&self, hint: EventListener, at_most: Duration) {
        let _ = hint.wait_timeout(at_most);
    }

    async fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

impl HubBuilder {
    /// Starts the hub on a thread of its own, with a blocking connection that `connect` makes, also after it was lost.
    ///
    /// What is committed after this returns is told. The connection is the hub's own; of a pool, it is one that never
    /// comes back.
    ///
    /// # Errors
    ///
    /// If there is no connection, or a log cannot be read.
    pub fn start<C, E, F>(self, connect: F) -> Result<Hub, StartError>
    where
        C: LoadConnection<Backend: Dialect> + Send + 'static,
        E: Into<BoxError>,
        F: FnMut() -> Result<C, E> + Send + 'static,
    {
        let Self { plan, shared, rhythm, records } = self;
        let mut connector = Connect(connect);
        let begun = ready(async {
            let mut driver =
                Connector::<C::Backend>::connect(&mut connector).await.map_err(StartError::Connect)?;
            let source = LogSource::open(&mut driver, plan, records).await?;
            Ok::<_, StartError>((driver, source))
        });
        let (driver, source) = begun.unwrap_or(Err(StartError::Waited))?;
        super::lock(&shared.status).connected = true;
        let worker = Worker { shared: Arc::clone(&shared), connector, pace: Thread, rhythm };
        let thread = std::thread::Builder::new().name("evented-hub".to_owned());
        let thread = thread.spawn(move || {
            let _ = ready(worker.run::<C::Backend>(source, driver));
        });
        Ok(Hub::new(shared, Some(thread.map_err(StartError::Thread)?)))
    }
}
