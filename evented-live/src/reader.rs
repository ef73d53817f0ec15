//! The connections that a store reads with.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_channel::Receiver;
use diesel::connection::LoadConnection;
#[cfg(feature = "__async")]
use evented_diesel::spi::AsyncExecutor;
use evented_diesel::spi::{BlockingExecutor, Executor, ready};
use evented_diesel::{Error, EventedBackend};
use evented_feed::spi::{Connector, LONGEST_PAUSE, Pace, pauses};

use crate::shared::Shared;

/// A connection that a store reads with: blocking or async, to PostgreSQL or SQLite.
///
/// It is the parameter of [`Store`](crate::Store). Only this library implements the trait, for all connections of Diesel
/// and diesel-async.
pub trait Reader: Executor<Self::Db> + sealed::Reader + 'static {
    /// The database.
    type Db: EventedBackend;
}

mod sealed {
    pub trait Reader {}
}

impl<C> sealed::Reader for BlockingExecutor<Box<C>> {}
impl<C: LoadConnection<Backend: EventedBackend> + Send + 'static> Reader for BlockingExecutor<Box<C>> {
    type Db = C::Backend;
}

#[cfg(feature = "__async")]
impl<C> sealed::Reader for AsyncExecutor<Box<C>> {}
#[cfg(feature = "__async")]
impl<C: diesel_async::AsyncConnection<Backend: EventedBackend> + Send + 'static> Reader
    for AsyncExecutor<Box<C>>
{
    type Db = C::Backend;
}

/// The result of a job that is under way.
pub(crate) type Running<'j> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'j>>;

/// Something to read.
pub(crate) trait Job<E>: Send {
    /// Reads, and hands the result to the engine.
    fn run<'j>(&'j mut self, executor: &'j mut E) -> Running<'j>;
    /// Tells the engine that nothing could be read.
    fn fail(&mut self, error: Arc<dyn std::error::Error + Send + Sync>);
}

/// A panic of the user's code while rows were read.
#[derive(Debug, thiserror::Error)]
#[error("the program's code panicked while it read the rows")]
struct Panicked;

/// A future whose panics are errors.
struct CatchPanic<'j>(Running<'j>);

impl Future for CatchPanic<'_> {
    type Output = Result<Result<(), Error>, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(Err(Panicked)), |polled| polled.map(Ok))
    }
}

/// A connection, and the jobs that it does one after the other.
pub(crate) struct Lane<E, C, P> {
    pub(crate) executor: Option<E>,
    pub(crate) connector: C,
    pub(crate) pace: P,
    pub(crate) jobs: Receiver<Box<dyn Job<E>>>,
    pub(crate) shared: Arc<Shared>,
}

impl<E: Reader, C: Connector<E::Db, Executor = E>, P: Pace> Lane<E, C, P> {
    /// Does jobs until the store stops.
    #[cfg(feature = "__async")]
    pub(crate) async fn run(mut self) {
        while let Ok(job) = self.jobs.recv().await {
            self.work(job).await;
        }
    }

    /// Does jobs until the store stops, on the thread that calls it.
    pub(crate) fn run_blocking(mut self) {
        while let Ok(job) = self.jobs.recv_blocking() {
            let _ = ready(self.work(job));
        }
    }

    /// Does a job. After an error the connection is opened again, because it may be broken, and the job is done again: it only
    /// reads.
    async fn work(&mut self, mut job: Box<dyn Job<E>>) {
        let mut failed = None;
        for _ in 0..2 {
            if self.shared.is_stopping() {
                return;
            }
            if let Err(error) = self.connect().await {
                return job.fail(error.into());
            }
            let Some(executor) = &mut self.executor else { return };
            match (CatchPanic(job.run(executor))).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => failed = Some(Arc::new(error) as Arc<dyn std::error::Error + Send + Sync>),
                Err(panicked) => failed = Some(Arc::new(panicked)),
            }
            self.executor = None;
        }
        if let Some(error) = failed {
            job.fail(error);
        }
    }

    /// Connects, unless there is a connection. Tries again a few times: a server that restarts is back soon.
    async fn connect(&mut self) -> Result<(), evented_feed::spi::BoxError> {
        let mut pauses = pauses();
        let mut attempts = 0;
        while self.executor.is_none() {
            match self.connector.connect().await {
                Ok(executor) => self.executor = Some(executor),
                Err(error) if attempts == ATTEMPTS || self.shared.is_stopping() => return Err(error),
                Err(_) => {
                    attempts += 1;
                    self.pace.sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
                }
            }
        }
        Ok(())
    }
}

/// How many times a lane tries to connect before the job is said to have failed.
const ATTEMPTS: usize = 2;
