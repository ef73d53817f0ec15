//! Runs a worker on tokio tasks, with async connections.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncConnection;
use evented_diesel::spi::{AsyncExecutor, EventedBackend};
use evented_feed::spi::{BoxError, Task, TaskConnector};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::worker::connection::Link;
use crate::worker::shared::{Running, register_all};
use crate::worker::{StartError, StillRunning, Worker, WorkerStatus, control, reader, runner};

/// A worker that runs on tokio tasks. It stops when this is dropped: the batches that run are finished.
#[must_use = "the worker stops when this is dropped"]
pub struct WorkerTasks {
    running: Arc<dyn Running>,
    tasks: JoinSet<()>,
}

impl<C> Worker<C>
where
    C: AsyncConnection<Backend: EventedBackend> + Send + 'static,
{
    /// Registers the subscribers, and serves them on tokio tasks. `connect` opens a connection for each task: one for each
    /// delivery that is handled at the same time, and two more.
    ///
    /// # Errors
    ///
    /// [`StartError`]: if a connection cannot be opened, or a subscriber cannot be registered.
    pub async fn spawn<E, F, T>(self, connect: F) -> Result<WorkerTasks, StartError>
    where
        E: Into<BoxError> + 'static,
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<C, E>> + Send + 'static,
    {
        let (shared, concurrency) = self.share()?;
        let connect = Arc::new(connect);
        let open = async |idle| {
            let connect = Arc::clone(&connect);
            let connector = TaskConnector::new(move || connect());
            Link::<C::Backend, _, _>::open(connector, Task, idle).await.map_err(StartError::Connect)
        };
        let runtime = Handle::current();
        // Only this function sets it, once.
        let _ = shared.launcher.set(Box::new(move |flight| {
            drop(runtime.spawn(flight.run::<C::Backend, AsyncExecutor<Box<C>>>()));
        }));
        let mut link = open(shared.lease).await?;
        register_all(&shared, &mut link).await?;
        let mut worker =
            WorkerTasks { running: Arc::clone(&shared) as Arc<dyn Running>, tasks: JoinSet::new() };
        let of_control = Arc::clone(&shared);
        worker.tasks.spawn(async move { control::run(&of_control, link).await });
        let (link, of_reader) = (open(shared.lease).await?, Arc::clone(&shared));
        worker.tasks.spawn(async move { reader::run(&of_reader, link).await });
        for _ in 0..concurrency {
            let (link, of_runner) = (open(shared.longest()).await?, Arc::clone(&shared));
            worker.tasks.spawn(async move { runner::run(&of_runner, link).await });
        }
        Ok(worker)
    }
}

impl WorkerTasks {
    /// Returns how the worker is doing.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        self.running.status()
    }

    /// Stops the worker: it finishes the batches that run, and gives its parts back, so that other workers take them at
    /// once.
    ///
    /// # Errors
    ///
    /// [`StillRunning`] if that takes longer than `deadline`. The tasks end when their batches do.
    pub async fn stop(mut self, deadline: Duration) -> Result<(), StillRunning> {
        self.running.stop();
        let finished = async {
            // A task that panicked has ended, too.
            while self.tasks.join_next().await.is_some() {}
        };
        tokio::time::timeout(deadline, finished).await.map_err(|_| StillRunning(deadline))
    }
}

impl Drop for WorkerTasks {
    fn drop(&mut self) {
        self.running.stop();
        // Otherwise the set would abort its tasks, in the middle of a batch.
        self.tasks.detach_all();
    }
}

impl std::fmt::Debug for WorkerTasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerTasks").field("status", &self.status()).finish_non_exhaustive()
    }
}
