//! Runs a worker on threads, with blocking connections.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::connection::LoadConnection;
use evented_diesel::spi::{BlockingExecutor, EventedBackend, ready};
use evented_feed::spi::{BoxError, Thread, ThreadConnector};

use crate::worker::connection::Link;
use crate::worker::shared::{Running, register_all};
use crate::worker::{StartError, StillRunning, Worker, WorkerStatus, control, reader, runner};

/// A worker that runs on threads. It stops when this is dropped.
#[must_use = "the worker stops when this is dropped"]
pub struct WorkerThreads {
    running: Arc<dyn Running>,
    threads: Vec<JoinHandle<()>>,
}

impl<C> Worker<C>
where
    C: LoadConnection<Backend: EventedBackend> + Send + 'static,
{
    /// Registers the subscribers, and serves them on threads of its own. `connect` opens a connection for each thread: one
    /// for each delivery that is handled at the same time, and two more.
    ///
    /// # Errors
    ///
    /// [`StartError`]: if a connection cannot be opened, or a subscriber cannot be registered.
    pub fn start<E, F>(self, connect: F) -> Result<WorkerThreads, StartError>
    where
        E: Into<BoxError> + 'static,
        F: Fn() -> Result<C, E> + Send + Sync + 'static,
    {
        let (shared, concurrency) = self.share()?;
        let connect = Arc::new(connect);
        let open = |idle| {
            let connect = Arc::clone(&connect);
            let connector = ThreadConnector(move || connect());
            let link = ready(Link::<C::Backend, _, _>::open(connector, Thread, idle));
            link.ok_or(StartError::NotReady)?.map_err(StartError::Connect)
        };
        // Only this function sets it, once.
        let _ = shared.launcher.set(Box::new(|flight| {
            let work = flight.run::<C::Backend, BlockingExecutor<Box<C>>>();
            blocking::unblock(move || ready(work)).detach();
        }));
        let mut link = open(shared.lease)?;
        ready(register_all(&shared, &mut link)).ok_or(StartError::NotReady)??;
        let mut worker =
            WorkerThreads { running: Arc::clone(&shared) as Arc<dyn Running>, threads: Vec::new() };
        let of_control = Arc::clone(&shared);
        worker.run("control", move || {
            let _ = ready(control::run(&of_control, link));
        })?;
        let (link, of_reader) = (open(shared.lease)?, Arc::clone(&shared));
        worker.run("reader", move || {
            let _ = ready(reader::run(&of_reader, link));
        })?;
        for _ in 0..concurrency {
            let (link, of_runner) = (open(shared.longest())?, Arc::clone(&shared));
            worker.run("runner", move || {
                let _ = ready(runner::run(&of_runner, link));
            })?;
        }
        Ok(worker)
    }
}

impl WorkerThreads {
    fn run(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
        let thread = std::thread::Builder::new().name(format!("evented-{name}")).spawn(work);
        self.threads.push(thread.map_err(StartError::Thread)?);
        Ok(())
    }

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
    /// [`StillRunning`] if that takes longer than `deadline`. The threads end when their batches do.
    pub fn stop(mut self, deadline: Duration) -> Result<(), StillRunning> {
        self.running.stop();
        let until = Instant::now().checked_add(deadline);
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Err(StillRunning(deadline));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        for thread in self.threads.drain(..) {
            // A thread that panicked has ended, too.
            let _ = thread.join();
        }
        Ok(())
    }
}

impl Drop for WorkerThreads {
    fn drop(&mut self) {
        self.running.stop();
    }
}

impl std::fmt::Debug for WorkerThreads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerThreads").field("status", &self.status()).finish_non_exhaustive()
    }
}
