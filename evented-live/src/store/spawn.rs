//! Starts a store on tokio tasks.

use std::sync::Arc;

use diesel_async::AsyncConnection;
use evented_diesel::EventedBackend;
use evented_diesel::spi::AsyncExecutor;
use evented_feed::spi::{BoxError, Task, TaskConnector};

use super::{Requery, StartError, Store, StoreBuilder};
use crate::engine;
use crate::reader::Lane;
use crate::set::{Set, Turn};

/// A store that reads with async connections of type `C`, on tokio tasks.
pub type AsyncStore<C> = Store<AsyncExecutor<Box<C>>>;

/// A turn of an [`AsyncSet`].
pub type AsyncTurn<'s, C> = Turn<'s, AsyncExecutor<Box<C>>>;

/// A [`Requery`] of an [`AsyncStore`].
pub type AsyncRequery<C, T> = Requery<AsyncExecutor<Box<C>>, T>;

/// A set of an [`AsyncStore`].
pub type AsyncSet<C> = Set<AsyncExecutor<Box<C>>>;

impl StoreBuilder {
    /// Starts the store on tokio tasks. `connect` opens the store's async connections, and opens them again after they are
    /// lost.
    ///
    /// # Errors
    ///
    /// [`StartError::Connect`] if `connect` fails.
    pub async fn spawn<C, X, F, T>(self, connect: F) -> Result<AsyncStore<C>, StartError>
    where
        C: AsyncConnection<Backend: EventedBackend> + Send + 'static,
        X: Into<BoxError> + 'static,
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<C, X>> + Send + 'static,
    {
        let (store, opening, upkeep) = self.build();
        let connect = Arc::new(connect);
        for jobs in [opening, upkeep] {
            let first = connect().await.map_err(|error| StartError::Connect(error.into()))?;
            let connect = Arc::clone(&connect);
            let lane = Lane {
                executor: Some(AsyncExecutor(Box::new(first))),
                connector: TaskConnector::new(move || connect()),
                pace: Task,
                jobs,
                shared: Arc::clone(&store.inner.shared),
            };
            tokio::spawn(lane.run());
        }
        let (engine, shared) = (Arc::clone(&store.inner.engine), Arc::clone(&store.inner.shared));
        tokio::spawn(engine::run(engine, shared, Task));
        Ok(store)
    }
}
