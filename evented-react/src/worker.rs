//! Workers: they serve subscribers, on threads or on tasks, together with the workers of other processes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use evented_feed::spi::BoxError;

use crate::register::RegisterError;
use crate::subscriber::Subscriber;

mod connection;
mod control;
mod flights;
#[cfg(feature = "metrics")]
mod gauges;
mod job;
mod launch;
mod moves;
mod owned_part;
mod reader;
mod runner;
mod share;
mod shared;
mod stall;
#[cfg(feature = "__async")]
mod tasks;
mod threads;

#[cfg(feature = "__async")]
pub use tasks::WorkerTasks;
pub use threads::WorkerThreads;

use shared::Shared;

/// How many deliveries a worker handles at the same time, by default.
const CONCURRENCY: usize = 4;
/// How long a worker owns its parts after it was last seen, by default.
const LEASE: Duration = Duration::from_secs(5);

/// Serves subscribers: it registers them, reads their logs, and handles their deliveries.
///
/// Any number of workers, in any number of processes, serve the same subscribers. They divide the parts of each subscriber
/// among them. If a worker dies, the others take its parts after the [lease](Self::lease).
///
/// `start` runs it on threads, with blocking connections. `spawn` runs it on tokio tasks, with async ones.
#[must_use = "a worker does nothing until it is started"]
pub struct Worker<C> {
    subscribers: Vec<Subscriber<C>>,
    concurrency: usize,
    lease: Duration,
    #[cfg(feature = "cron")]
    schedules: Vec<crate::schedule::Schedule>,
}

impl<C: Send + 'static> Worker<C> {
    /// Creates a worker without subscribers.
    pub fn new() -> Self {
        Self {
            subscribers: Vec::new(),
            concurrency: CONCURRENCY,
            lease: LEASE,
            #[cfg(feature = "cron")]
            schedules: Vec::new(),
        }
    }

    /// Adds a subscriber, or a [`Projection`](crate::Projection).
    pub fn subscribe(mut self, subscriber: impl Into<Subscriber<C>>) -> Self {
        self.subscribers.push(subscriber.into());
        self
    }

    /// Adds a schedule. Of all workers that have it one publishes each of its events, within a second after its time.
    #[cfg(feature = "cron")]
    pub fn schedule(mut self, schedule: crate::schedule::Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Sets how many deliveries this worker handles at the same time. Default: 4. 0 counts as 1. The worker opens two
    /// connections more than this.
    pub fn concurrency(mut self, deliveries: usize) -> Self {
        self.concurrency = deliveries.max(1);
        self
    }

    /// Sets how long this worker owns its parts after it was last seen. Default: 5 seconds. Minimum: 250 milliseconds. All
    /// workers of a subscriber should have the same lease.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(250));
        self
    }

    /// Checks what does not need a database, and creates what the loops share.
    fn share(self) -> Result<(Arc<Shared<C>>, usize), StartError> {
        #[cfg(feature = "cron")]
        let is_empty = self.subscribers.is_empty() && self.schedules.is_empty();
        #[cfg(not(feature = "cron"))]
        let is_empty = self.subscribers.is_empty();
        if is_empty {
            return Err(StartError::NoSubscriber);
        }
        for (index, subscriber) in self.subscribers.iter().enumerate() {
            if self.subscribers.iter().skip(index + 1).any(|other| other.name == subscriber.name) {
                return Err(StartError::TwoOfAName { subscriber: subscriber.name.clone() });
            }
        }
        #[cfg(feature = "cron")]
        for (index, schedule) in self.schedules.iter().enumerate() {
            if self.schedules.iter().skip(index + 1).any(|other| other.name == schedule.name) {
                return Err(StartError::TwoSchedulesOfAName { schedule: schedule.name.clone() });
            }
        }
        let shared = Shared::new(
            self.subscribers,
            self.lease,
            #[cfg(feature = "cron")]
            self.schedules,
        );
        Ok((shared, self.concurrency))
    }
}

impl<C: Send + 'static> Default for Worker<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for Worker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("subscribers", &self.subscribers)
            .field("concurrency", &self.concurrency)
            .field("lease", &self.lease)
            .finish()
    }
}

/// Why a worker was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The worker has no subscriber and no schedule.
    #[error("the worker has no subscriber and no schedule")]
    NoSubscriber,
    /// Two subscribers have one name.
    #[error("two subscribers of the worker have the name `{subscriber}`")]
    TwoOfAName {
        /// The name.
        subscriber: String,
    },
    /// Two schedules have one name.
    #[cfg(feature = "cron")]
    #[error("two schedules of the worker have the name `{schedule}`")]
    TwoSchedulesOfAName {
        /// The name.
        schedule: String,
    },
    /// A connection cannot be opened.
    #[error("the worker cannot connect")]
    Connect(#[source] BoxError),
    /// A subscriber cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A thread cannot be started.
    #[error("a thread of the worker cannot be started")]
    Thread(#[source] std::io::Error),
    /// The connection was not ready at once, as blocking connections are.
    #[error("the connection waits as only async connections do; start the worker with `spawn`")]
    NotReady,
}

/// The error of a worker that has not stopped by the deadline of [`stop`](WorkerThreads::stop).
#[derive(Debug, thiserror::Error)]
#[error("the worker did not finish within {0:?}; its parts are free after the lease")]
pub struct StillRunning(pub Duration);

/// How a worker is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Whether it runs. It stops by itself if one of its threads or tasks panics, for example in `connect`.
    pub running: bool,
    /// How many parts of subscribers it owns.
    pub parts: usize,
    /// How many deliveries it has read and not handled.
    pub queued: usize,
    /// How many deliveries it has handled.
    pub handled: u64,
    /// How many deliveries it has set aside.
    pub set_aside: u64,
    /// The last error of the database; `None` if the last work succeeded.
    pub error: Option<String>,
    /// The subscribers that do not go on, each with the reason.
    pub stalled: Vec<(String, String)>,
}
