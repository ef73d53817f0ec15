//! A subscription, from the subscriber's side.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::Receiver;
use evented_core::{Change, Position};
use futures_core::Stream;

use super::channel::Channel;
use super::router::{Router, later, with};
use super::snapshot::Snapshot;
use super::told::{Interruption, Unreadable};
use super::{Denied, lock, waiting};
use crate::model::Model;

/// What waits in a subscriber's buffer.
pub(crate) enum Parcel<M: Model> {
    Change(Change<M>),
    Unreadable(Unreadable),
    /// The transaction of the changes before is told whole.
    End,
}

/// Why a subscription has ended, once it has.
pub(crate) type Ending = Arc<Mutex<Option<Interruption>>>;

/// A subscription: the changes of its channels, in the order of the stream.
///
/// It is a [`Stream`], with a [`next`](Self::next) of its own; blocking code calls [`recv`](Self::recv). An error that
/// [is final](Interruption::is_final) is the last thing it gives. Dropped, it is no subscription any more.
#[must_use = "a feed that is dropped is unsubscribed"]
pub struct Feed<M: Model> {
    id: u64,
    parcels: Pin<Box<Receiver<Parcel<M>>>>,
    ending: Ending,
    router: Weak<Mutex<Router<M>>>,
    /// What the subscriber has seen already.
    seen: Option<Snapshot<M>>,
    start: Position,
    /// The place of the last thing that was taken from the buffer.
    taken: Position,
}

impl<M: Model> Feed<M> {
    pub(crate) fn new(
        id: u64,
        parcels: Receiver<Parcel<M>>,
        ending: Ending,
        router: Weak<Mutex<Router<M>>>,
        start: Position,
    ) -> Self {
        Self { id, parcels: Box::pin(parcels), ending, router, seen: None, start, taken: start }
    }

    /// The subscription's number in [`Hub::subscriptions`](super::Hub::subscriptions).
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it began: the changes after this place are told.
    #[must_use]
    pub fn start(&self) -> Position {
        self.start
    }

    /// How far it has told: who resumes from here misses nothing. It is the place of the last change that was given, or a
    /// later one: changes that are none of this subscriber's move it on while nothing waits in the buffer. Who resumes keeps
    /// it from time to time, also where nothing happens: from far away it takes longer, and a hub on the WAL does not
    /// remember for ever.
    #[must_use]
    pub fn position(&self) -> Position {
        let drained = self.router.upgrade().and_then(|router| lock(&router).drained(self.id));
        drained.map_or(self.taken, |drained| later(drained, self.taken))
    }

    /// Passes over the changes that a reading of the table has seen already: see [`Snapshot`].
    pub fn after(mut self, seen: Snapshot<M>) -> Self {
        self.seen = Some(seen);
        self
    }

    /// Listens on another channel as well. A change that is on several is told once; the same channel again changes what
    /// is asked of it and doubles nothing.
    ///
    /// # Errors
    ///
    /// A policy that forbids it, or a scope that cannot be.
    pub fn add(&mut self, channel: Channel<M>) -> Result<(), Denied> {
        channel.check()?;
        if let Some(router) = self.router.upgrade() {
            with(&router, |router| router.listen(self.id, channel));
        }
        Ok(())
    }

    /// Listens no more on a channel. Changes that wait already are still told.
    pub fn remove(&mut self, channel: &Channel<M>) {
        if let Some(router) = self.router.upgrade() {
            with(&router, |router| router.remove(self.id, channel));
        }
    }

    /// The next change. `None` after the end: the hub was stopped, or a final error was told. Nothing is lost if the
    /// future is dropped.
    pub async fn next(&mut self) -> Option<Result<Change<M>, Interruption>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next change, for blocking code. `None` after the end, as [`next`](Self::next).
    pub fn recv(&mut self) -> Option<Result<Change<M>, Interruption>> {
        waiting::next(self)
    }

    /// The next change, for blocking code that does not want to wait longer than this.
    ///
    /// # Errors
    ///
    /// `Timeout`; `Disconnected` after the end.
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Result<Change<M>, Interruption>, RecvTimeoutError> {
        waiting::next_within(self, timeout)
    }

    /// The next change, if it is there.
    ///
    /// # Errors
    ///
    /// `Empty`; `Disconnected` after the end.
    pub fn try_recv(&mut self) -> Result<Result<Change<M>, Interruption>, TryRecvError> {
        waiting::next_now(self)
    }

    pub(crate) fn taken(&self) -> Position {
        self.taken
    }

    pub(crate) fn poll_parcel(&mut self, cx: &mut Context<'_>) -> Poll<Option<Parcel<M>>> {
        self.parcels.as_mut().poll_next(cx)
    }

    /// What a parcel is to the subscriber, if anything.
    pub(crate) fn open(&mut self, parcel: Parcel<M>) -> Option<Result<Change<M>, Interruption>> {
        match parcel {
            Parcel::Change(change) => {
                self.taken = change.position();
                let seen = self.seen.as_ref().is_some_and(|seen| seen.has(&change));
                (!seen).then_some(Ok(change))
            }
            Parcel::Unreadable(unreadable) => {
                self.taken = unreadable.position;
                Some(Err(Interruption::Unreadable(unreadable)))
            }
            Parcel::End => None,
        }
    }

    /// Why it has ended, once.
    pub(crate) fn end<T>(&self) -> Option<Result<T, Interruption>> {
        lock(&self.ending).take().map(Err)
    }
}

impl<M: Model> Stream for Feed<M> {
    type Item = Result<Change<M>, Interruption>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(parcel) = ready!(self.poll_parcel(cx)) else {
                return Poll::Ready(self.end());
            };
            if let Some(told) = self.open(parcel) {
                return Poll::Ready(Some(told));
            }
        }
    }
}

impl<M: Model> Drop for Feed<M> {
    fn drop(&mut self) {
        if let Some(router) = self.router.upgrade() {
            with(&router, |router| router.unsubscribe(self.id));
        }
    }
}

impl<M: Model> fmt::Debug for Feed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("id", &self.id)
            .field("waiting", &self.parcels.len())
            .finish_non_exhaustive()
    }
}
