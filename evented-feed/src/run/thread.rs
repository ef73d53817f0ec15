//! Runs a loop on a thread of its own, with a blocking connection.

use std::time::Duration;

use diesel::connection::LoadConnection;
use event_listener::{EventListener, Listener as _};
use evented_diesel::spi::{BlockingExecutor, EventedBackend};

use crate::run::connector::{BoxError, Connector, Pace};

/// Opens blocking connections with a function.
#[derive(Debug)]
pub struct ThreadConnector<F>(pub F);

impl<DB, C, E, F> Connector<DB> for ThreadConnector<F>
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

/// Waits by blocking the thread.
#[derive(Debug)]
pub struct Thread;

impl Pace for Thread {
    async fn wait_for(&self, hint: EventListener, at_most: Duration) -> bool {
        hint.wait_timeout(at_most).is_some()
    }

    async fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
