//! The hub, which reads each change once and delivers it to all its subscribers.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use event_listener::Listener as _;
use evented_core::{Channel, Denied, Position};
use evented_diesel::{Error, Model};

use crate::feed::{Feed, TransactionFeed, deadline};
use crate::hints::{listen_to_commits, poll_now};
use crate::router::Router;
use crate::run::BoxError;
use crate::shared::{Reached, Shared};
use crate::status::{HubStatus, SubscriptionInfo};
use crate::sync::lock;
use crate::tap::Tap;

#[cfg(feature = "__async")]
mod hub_task;
mod hub_thread;
mod log_hub_builder;
mod subscribe;
#[cfg(feature = "wal")]
mod wal_hub_builder;
mod worker;

pub use log_hub_builder::HubBuilder;
use subscribe::DEFAULT_BUFFER;
pub use subscribe::SubscribeBuilder;
#[cfg(feature = "wal")]
pub use wal_hub_builder::WalHubBuilder;

/// Delivers the changes of some models to subscribers.
///
/// A hub reads the logs of its models over one connection, on its own thread or task. It looks up the subscribers of a
/// change by the change's record key and scopes. A slow subscriber does not delay the others: each subscriber has its
/// own buffer, and gets an error with the position to resume from when that buffer is full.
///
/// `Hub` is a handle: its clones refer to the same hub. The hub stops when the last handle is dropped.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Why a hub could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The hub or relay could not connect.
    #[error("no connection to the database")]
    Connect(#[source] BoxError),
    /// A log cannot be read.
    #[error(transparent)]
    Log(#[from] Error),
    /// The write-ahead log cannot be read.
    #[cfg(feature = "wal")]
    #[error(transparent)]
    Wal(#[from] evented_wal::WalError),
    /// The operating system could not create the thread of the hub or relay.
    #[error("a thread could not be created")]
    Thread(#[source] std::io::Error),
    /// The thread of the hub or relay ended before it was started: it panicked.
    #[error("the thread ended before its start was complete; see its panic message")]
    ThreadEnded,
    /// An operation on a blocking connection did not complete synchronously. Diesel's own connections never cause this error.
    #[error("an operation on a blocking connection did not complete synchronously")]
    NotReady,
}

/// Why a call on a hub failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub does not read this model, or this stream.
    #[error("the hub does not read {what}; start it with `.and::<…>()`")]
    NotRead {
        /// The name of the model or of the stream.
        what: String,
    },
    /// The channel cannot be subscribed to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The hub was stopped, or could not continue.
    #[error("the hub was stopped{}", .reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Stopped {
        /// Why the hub could not continue; `None` if it was stopped.
        reason: Option<String>,
    },
    /// The position is in an event log, but the hub reads the write-ahead log.
    #[error(
        "the hub reads the write-ahead log, and {position} is of an event log: wait for a `wal::mark()` that is run \
             after the write"
    )]
    OtherStream {
        /// The position that was passed.
        position: Position,
    },
    /// The hub did not reach the position in time.
    #[error("the hub did not reach {position} in time")]
    TimedOut {
        /// The position that was passed.
        position: Position,
    },
}

impl Hub {
    /// Configures a hub that reads a model's event log. [`and`](HubBuilder::and) adds further models.
    pub fn of<M: Model>() -> HubBuilder {
        HubBuilder::new().and::<M>()
    }

    fn new(shared: Arc<Shared>, thread: Option<JoinHandle<()>>) -> Self {
        listen_to_commits();
        Self { inner: Arc::new(Inner { shared, thread: Mutex::new(thread) }) }
    }

    /// Subscribes to a channel from now on, with a buffer of 1,024 changes.
    ///
    /// On PostgreSQL, a change that was committed before this call may still be delivered: while a transaction that began
    /// earlier is open, the hub waits with all changes since. To join a feed with what was read, use
    /// [`Feed::after`](crate::Feed::after) with a read point.
    ///
    /// # Errors
    ///
    /// [`HubError::NotRead`] for a model that the hub does not read; [`HubError::Denied`] for a channel that cannot be
    /// subscribed to; [`HubError::Stopped`].
    pub fn subscribe<M: Model>(&self, channel: Channel<M>) -> Result<Feed<M>, HubError> {
        self.subscribe_builder(channel).feed()
    }

    /// Subscribes to a channel from a position on. The feed begins with the first change after `from`.
    ///
    /// Pass the position of the last change that the subscriber has seen, from
    /// [`Change::position`](evented_core::Change::position), [`Feed::position`] or
    /// [`Interruption::Lagged`](crate::Interruption::Lagged).
    ///
    /// If the stream does not continue from that position, or the position is of another stream, the only item of the
    /// feed is [`Interruption::MustRefetch`](crate::Interruption::MustRefetch).
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_from<M: Model>(&self, channel: Channel<M>, from: Position) -> Result<Feed<M>, HubError> {
        self.subscribe_builder(channel).resume(from).feed()
    }

    /// Subscribes to whole transactions, from now on.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_transactions<M: Model>(
        &self,
        channel: Channel<M>,
    ) -> Result<TransactionFeed<M>, HubError> {
        self.subscribe_builder(channel).transaction_feed()
    }

    /// Subscribes with settings: `hub.subscribe_builder(channel).resume(position).buffer(64).feed()`.
    pub fn subscribe_builder<M: Model>(&self, channel: Channel<M>) -> SubscribeBuilder<'_, M> {
        SubscribeBuilder { hub: self, channel, resume: None, buffer: DEFAULT_BUFFER }
    }

    fn router<M: Model>(&self) -> Result<Arc<Mutex<Router<M>>>, HubError> {
        if self.inner.shared.is_stopping() {
            return Err(self.stopped());
        }
        let router = self.inner.shared.router::<M>();
        router.ok_or_else(|| HubError::NotRead { what: format!("`{}`", M::SCHEMA) })
    }

    /// Lists the current subscriptions to the changes of a model.
    ///
    /// # Errors
    ///
    /// [`HubError::NotRead`]; [`HubError::Stopped`].
    pub fn subscriptions<M: Model>(&self) -> Result<Vec<SubscriptionInfo>, HubError> {
        Ok(lock(&*self.router::<M>()?).subscriptions())
    }

    /// Returns the state of the hub: its connection, its last error and its delay.
    #[must_use]
    pub fn status(&self) -> HubStatus {
        self.inner.shared.status()
    }

    /// Returns the position of the last change in a model's stream that the hub has delivered.
    ///
    /// # Errors
    ///
    /// [`HubError::NotRead`]; [`HubError::Stopped`].
    pub fn position<M: Model>(&self) -> Result<Position, HubError> {
        let stream = lock(&*self.router::<M>()?).live().stream();
        let reached = self.inner.shared.reached(stream);
        let reached = reached.ok_or_else(|| HubError::NotRead { what: format!("`{}`", M::SCHEMA) })?;
        Ok(reached.last)
    }

    /// Waits until the change at `position` is in every subscriber's buffer. It does not wait for subscribers that have
    /// lagged or are still [catching up](SubscriptionInfo::catching_up).
    ///
    /// `position` is the position of a write, [`Recorded::position`](evented_diesel::Recorded::position), in this
    /// process or in another one. For a hub on the write-ahead log, pass the position of a `wal::mark()` that was run
    /// after the write.
    ///
    /// # Errors
    ///
    /// [`HubError::Stopped`]; [`HubError::NotRead`] for a position of a stream that the hub does not read.
    pub async fn wait_for(&self, position: Position) -> Result<(), HubError> {
        loop {
            let progress = self.inner.shared.progress.listen();
            if self.has_reached(position)? {
                return Ok(());
            }
            poll_now();
            progress.await;
        }
    }

    /// Waits like [`wait_for`](Self::wait_for), for blocking code, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for); [`HubError::TimedOut`].
    pub fn wait_for_blocking(&self, position: Position, timeout: Duration) -> Result<(), HubError> {
        let until = deadline(timeout);
        loop {
            let progress = self.inner.shared.progress.listen();
            if self.has_reached(position)? {
                return Ok(());
            }
            poll_now();
            match until {
                None => progress.wait(),
                Some(until) if progress.wait_deadline(until).is_none() => {
                    return Err(HubError::TimedOut { position });
                }
                Some(_) => {}
            }
        }
    }

    fn has_reached(&self, position: Position) -> Result<bool, HubError> {
        if self.inner.shared.is_stopping() {
            return Err(self.stopped());
        }
        match self.inner.shared.reached(position.stream()) {
            Some(Reached { to, .. }) => Ok(to.has_reached(position)),
            #[cfg(feature = "wal")]
            None if self.inner.shared.reached(crate::wal::positions::wal_stream()).is_some() => {
                Err(HubError::OtherStream { position })
            }
            None => Err(HubError::NotRead { what: format!("the stream of {position}") }),
        }
    }

    fn stopped(&self) -> HubError {
        HubError::Stopped { reason: self.status().error }
    }

    /// Stops the hub. Its feeds end after the changes in their buffers. A hub on a thread has stopped when this
    /// returns; a hub on a task stops soon after.
    pub fn stop(&self) {
        self.inner.stop();
    }
}

/// Attaches a tap to a hub. `most` is how many changes wait in it at most.
#[must_use]
pub fn attach(hub: &Hub, most: usize) -> Tap {
    let tap = Tap::attach(&hub.inner.shared.taps, most);
    poll_now();
    if hub.inner.shared.is_stopping() {
        hub.inner.shared.taps.end(hub.status().error);
    }
    tap
}

/// Returns whether a hub reads a model.
#[must_use]
pub fn reads<M: Model>(hub: &Hub) -> bool {
    hub.inner.shared.router::<M>().is_some()
}

/// Returns whether a hub reads the write-ahead log.
#[must_use]
pub fn is_on_wal(hub: &Hub) -> bool {
    #[cfg(feature = "wal")]
    return hub.inner.shared.reached(crate::wal::wal_stream()).is_some();
    #[cfg(not(feature = "wal"))]
    {
        let _ = hub;
        false
    }
}

impl Inner {
    fn stop(&self) {
        self.shared.stop();
        if let Some(thread) = lock(&self.thread).take()
            && thread.thread().id() != std::thread::current().id()
        {
            // The hub catches panics of the user's code. A panic of the hub itself has already printed its message.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("status", &self.status()).finish_non_exhaustive()
    }
}
