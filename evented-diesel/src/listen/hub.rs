//! The hub: reads once, and tells many.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use event_listener::Listener as _;
use evented_core::Position;

use super::channel::Channel;
use super::feed::Feed;
use super::log::Source;
use super::log::desk::{Desk, ModelDesk};
use super::log::source::{PAGE, Planned};
use super::router::Router;
use super::whole::WholeFeed;
use super::{Denied, RECORDS, Subscription, lock, waiting};
use crate::error::Error;
use crate::model::Model;

#[cfg(feature = "__async")]
mod asynchronous;
mod blocking;
mod shared;
mod status;
mod subscribing;
#[cfg(feature = "wal")]
mod tailing;
mod worker;

pub(crate) use shared::Reached;
use shared::Shared;
#[cfg(feature = "async-postgres")]
pub(crate) use shared::committed;
pub(crate) use shared::look;
pub use shared::wake;
pub use status::{Delay, Holder, Status};
use subscribing::BUFFER;
pub use subscribing::Subscribing;
#[cfg(feature = "wal")]
pub use tailing::TailingBuilder;
pub(crate) use worker::BoxError;
#[cfg(feature = "async-postgres")]
pub(crate) use worker::pauses;
use worker::{LOOK, Rhythm};

/// Tells subscribers of the changes of some models.
///
/// It reads their logs over one connection, on a thread or a task of its own, and finds who is to be told by what a change
/// is about. A subscriber that is slow, gone, or broken holds up nobody: it has a buffer, and is told where to resume if
/// that is full.
///
/// A handle: clones are the same hub, which stops with the last of them.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A hub before it is started: `Hub::of::<Item>().and::<User>().start(connect)`.
#[must_use = "a hub tells nothing until it is started"]
pub struct HubBuilder {
    plan: Vec<Planned>,
    shared: Arc<Shared>,
    rhythm: Rhythm,
    records: NonZeroUsize,
}

/// Why a hub could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no connection.
    #[error("the hub has no connection: {0}")]
    Connect(#[source] BoxError),
    /// A log cannot be read.
    #[error(transparent)]
    Log(#[from] Error),
    /// The write-ahead log cannot be read.
    #[cfg(feature = "wal")]
    #[error(transparent)]
    Wal(#[from] crate::wal::WalError),
    /// There is no thread to be had.
    #[error("the hub has no thread: {0}")]
    Thread(#[source] std::io::Error),
    /// A blocking connection was asked to wait. It cannot happen with Diesel's own connections.
    #[error("a blocking connection did not finish at once")]
    Waited,
}

/// Why nothing can be waited for, or subscribed to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub does not read this model, or this stream.
    #[error("the hub does not listen to {what}; start it with `.and::<…>()`")]
    NotListening {
        /// What was asked for.
        what: String,
    },
    /// The subscriber may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The hub was stopped, or could not go on.
    #[error("the hub was stopped{}", .reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default())]
    Stopped {
        /// Why it could not go on.
        reason: Option<String>,
    },
    /// A hub on the write-ahead log was asked for a place in an event log.
    #[error(
        "the hub reads the write-ahead log, and {position} is of an event log: wait for a `listen::mark()` \
             that is run after the write"
    )]
    OtherStream {
        /// What was asked for.
        position: Position,
    },
    /// It took longer than the caller wanted to wait.
    #[error("the hub has not come to {position} in time")]
    TimedOut {
        /// What was waited for.
        position: Position,
    },
}

impl Hub {
    /// A hub for a model.
    pub fn of<M: Model>() -> HubBuilder {
        let rhythm = Rhythm { every: LOOK, gap: Duration::from_millis(1) };
        HubBuilder { plan: Vec::new(), shared: Arc::default(), rhythm, records: RECORDS }.and::<M>()
    }

    fn new(shared: Arc<Shared>, thread: Option<JoinHandle<()>>) -> Self {
        Self { inner: Arc::new(Inner { shared, thread: Mutex::new(thread) }) }
    }

    /// Subscribes from now on. The changes wait in a buffer of 1,024.
    ///
    /// # Errors
    ///
    /// A model that the hub does not read, a policy that forbids it, a scope that cannot be.
    pub fn subscribe<M: Model>(&self, channel: Channel<M>) -> Result<Feed<M>, HubError> {
        self.subscribing(channel).feed()
    }

    /// Subscribes from a place on: that of the last change somebody has seen, as
    /// [`Change::position`](evented_core::Change::position), [`Feed::position`] or
    /// [`Interruption::Lagged`](super::Interruption::Lagged) says. What came since is told first.
    ///
    /// If the stream does not go on from there, the feed's first and only item is
    /// [`Interruption::MustRefetch`](super::Interruption::MustRefetch).
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe). A position of another stream is none: it is a place from where the stream does not
    /// go on.
    pub fn subscribe_from<M: Model>(&self, channel: Channel<M>, from: Position) -> Result<Feed<M>, HubError> {
        self.subscribing(channel).from(from).feed()
    }

    /// Subscribes to whole transactions, from now on.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_whole<M: Model>(&self, channel: Channel<M>) -> Result<WholeFeed<M>, HubError> {
        self.subscribing(channel).whole_feed()
    }

    /// A subscription of which more is to be said: `hub.subscribing(channel).from(position).buffer(64).feed()`.
    pub fn subscribing<M: Model>(&self, channel: Channel<M>) -> Subscribing<'_, M> {
        Subscribing { hub: self, channel, from: None, buffer: BUFFER }
    }

    fn router<M: Model>(&self) -> Result<Arc<Mutex<Router<M>>>, HubError> {
        if self.inner.shared.is_stopping() {
            return Err(self.stopped());
        }
        let router = self.inner.shared.router::<M>();
        router.ok_or_else(|| HubError::NotListening { what: format!("`{}`", M::SCHEMA) })
    }

    /// The subscriptions to the changes of a model.
    ///
    /// # Errors
    ///
    /// A model that the hub does not read.
    pub fn subscriptions<M: Model>(&self) -> Result<Vec<Subscription>, HubError> {
        Ok(lock(&*self.router::<M>()?).subscriptions())
    }

    /// How the hub is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        lock(&self.inner.shared.status).clone()
    }

    /// How far the changes of a model have been told: the place of the last one in its stream.
    ///
    /// # Errors
    ///
    /// A model that the hub does not read.
    pub fn position<M: Model>(&self) -> Result<Position, HubError> {
        let stream = lock(&*self.router::<M>()?).at.stream();
        let told = self.inner.shared.told(stream);
        let told = told.ok_or_else(|| HubError::NotListening { what: format!("`{}`", M::SCHEMA) })?;
        Ok(told.last)
    }

    /// Waits until all subscribers have been told of a write: until it is in their buffers. Not of those whose buffer was
    /// full, nor of those that are still told what was before they subscribed ([`Subscription::catching_up`]).
    ///
    /// The position is a write's [`Recorded::position`](crate::Recorded::position), from this process or another one. For a
    /// hub on the write-ahead log it is that of a `listen::mark()` that was written after it.
    ///
    /// # Errors
    ///
    /// [`HubError::Stopped`]; [`HubError::NotListening`] for a position of a stream that the hub does not read.
    pub async fn wait_for(&self, position: Position) -> Result<(), HubError> {
        loop {
            let progress = self.inner.shared.progress.listen();
            if self.has_told(position)? {
                return Ok(());
            }
            look();
            progress.await;
        }
    }

    /// [`wait_for`](Self::wait_for), for blocking code, up to a time.
    ///
    /// # Errors
    ///
    /// As that; and [`HubError::TimedOut`].
    pub fn wait_for_blocking(&self, position: Position, timeout: Duration) -> Result<(), HubError> {
        let until = waiting::deadline(timeout);
        loop {
            let progress = self.inner.shared.progress.listen();
            if self.has_told(position)? {
                return Ok(());
            }
            look();
            match until {
                None => progress.wait(),
                Some(until) if progress.wait_deadline(until).is_none() => {
                    return Err(HubError::TimedOut { position });
                }
                Some(_) => {}
            }
        }
    }

    fn has_told(&self, position: Position) -> Result<bool, HubError> {
        if self.inner.shared.is_stopping() {
            return Err(self.stopped());
        }
        match self.inner.shared.told(position.stream()) {
            Some(told) => Ok(told.to >= position),
            #[cfg(feature = "wal")]
            None if self.inner.shared.told(super::tail::stream()).is_some() => {
                Err(HubError::OtherStream { position })
            }
            None => Err(HubError::NotListening { what: format!("the stream of {position}") }),
        }
    }

    fn stopped(&self) -> HubError {
        HubError::Stopped { reason: lock(&self.inner.shared.status).error.clone() }
    }

    /// Stops the hub: its feeds end, after what waits in their buffers. A hub on a thread has stopped when this returns,
    /// one on a task soon after.
    pub fn stop(&self) {
        self.inner.stop();
    }
}

impl Inner {
    fn stop(&self) {
        self.shared.stop();
        if let Some(thread) = lock(&self.thread).take()
            && thread.thread().id() != std::thread::current().id()
        {
            // It catches the panics of users' code; one of its own has nobody to go to.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl HubBuilder {
    /// And for another model. Models that share a log are read together.
    pub fn and<M: Model>(mut self) -> Self {
        if !self.shared.lists::<M>() {
            return self;
        }
        let shared = Arc::clone(&self.shared);
        let source = Source::of::<M::Log>();
        let desk = Box::new(move |at: Position, epoch, records| {
            let router = Router::<M>::shared(at);
            shared.add_router(Arc::clone(&router));
            shared.passed(Reached { last: at, to: at });
            Box::new(ModelDesk::new(router, source.stream, epoch, records)) as Box<dyn Desk>
        });
        match self.plan.iter_mut().find(|planned| planned.source.stream == source.stream) {
            Some(planned) => planned.desks.push(desk),
            None => self.plan.push(Planned { source, desks: vec![desk] }),
        }
        self
    }

    /// How often it looks for changes when nothing hints at any: each 4 milliseconds, unless it is said here. It is the
    /// time that a change by another process takes to be told, at most; with a `Relay` in both, it is told at once.
    pub fn look_every(mut self, time: Duration) -> Self {
        self.rhythm.every = time;
        self
    }

    /// Of how many records of each model it remembers the state: 65,536, unless it is said here; at least 1,000. Up to
    /// twice as many are in memory. Of others, the history is read again with their next event.
    pub fn remember(mut self, records: NonZeroUsize) -> Self {
        // The states of all records of a page are remembered until the page is told.
        self.records = records.max(PAGE.into());
        self
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder").field("logs", &self.plan.len()).finish_non_exhaustive()
    }
}
