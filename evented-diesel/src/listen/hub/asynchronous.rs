//! A hub on a task, with an async connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncConnection;
use event_listener::EventListener;

use super::super::log::source::LogSource;
use super::worker::{BoxError, Connector, Pace, Worker};
use super::{Hub, HubBuilder, StartError};
use crate::backend::Dialect;
use crate::run::asynchronous::Awaiting;

struct Connect<F>(F);

impl<DB, C, E, F, T> Connector<DB> for Connect<F>
where
    DB: Dialect,
    C: AsyncConnection<Backend = DB> + Send,
    E: Into<BoxError>,
    F: FnMut() -> T + Send,
    T: Future<Output = Result<C, E>> + Send,
{
    type Driver = Awaiting<Box<C>>;

    async fn connect(&mut self) -> Result<Self::Driver, BoxError> {
        (self.0)().await.map(|conn| Awaiting(Box::new(conn))).map_err(Into::into)
    }
}

struct Task;

impl Pace for Task {
    async fn wait_for(&self, hint: EventListener, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, hint).await;
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl HubBuilder {
    /// Starts the hub on a task of tokio's, with an async connection that `connect` makes, also after it was lost.
    ///
    /// What is committed after this returns is told. The connection is the hub's own; of a pool, it is one that never
    /// comes back.
    ///
    /// # Errors
    ///
    /// If there is no connection, or a log cannot be read.
    pub async fn spawn<C, E, F, T>(self, connect: F) -> Result<Hub, StartError>
    where
        C: AsyncConnection<Backend: Dialect> + Send + 'static,
        E: Into<BoxError> + 'static,
        F: FnMut() -> T + Send + 'static,
        T: Future<Output = Result<C, E>> + Send + 'static,
    {
        let Self { plan, shared, rhythm, records } = self;
        let mut connector = Connect(connect);
        let mut driver =
            Connector::<C::Backend>::connect(&mut connector).await.map_err(StartError::Connect)?;
        let source = LogSource::open(&mut driver, plan, records).await?;
        super::lock(&shared.status).connected = true;
        let worker = Worker { shared: Arc::clone(&shared), connector, pace: Task, rhythm };
        tokio::spawn(worker.run::<C::Backend>(source, driver));
        Ok(Hub::new(shared, None))
    }
}
