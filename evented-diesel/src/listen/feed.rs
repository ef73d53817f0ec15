//! A subscription, from the subscriber's side.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::{Receiver, RecvError, TryRecvError};
use evented_core::{Change, Position};
use futures_core::Stream;

use super::channel::Channel;
use super::router::Router;
use super::snapshot::Snapshot;
use super::told::{Interruption, Unreadable};
use super::{Denied, lock};
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
    seen: Option<Snapshot>,
    start: Position,
}

impl<M: Model> Feed<M> {
    pub(crate) fn new(
        id: u64,
        parcels: Receiver<Parcel<M>>,
        ending: Ending,
        router: Weak<Mutex<Router<M>>>,
        start: Position,
    ) -> Self {
        Self { id, parcels: Box::pin(parcels), ending, router, seen: None, start }
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

    /// Passes over the changes that a reading of the table has seen already: see [`Snapshot`].
    pub fn after(mut self, seen: Snapshot) -> Self {
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
        match self.router.upgrade() {
            Some(router) => lock(&router).add(self.id, channel),
            None => Ok(()),
        }
    }

    /// Listens no more on a channel. Changes that wait already are still told.
    pub fn remove(&mut self, channel: &Channel<M>) {
        if let Some(router) = self.router.upgrade() {
            lock(&router).remove(self.id, channel);
        }
    }

    /// The next change. `None` after the end: the hub was stopped, or a final error was told. Nothing is lost if the
    /// future is dropped.
    pub async fn next(&mut self) -> Option<Result<Change<M>, Interruption>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next change, for blocking code. `None` after the end, as [`next`](Self::next).
    pub fn recv(&mut self) -> Option<Result<Change<M>, Interruption>> {
        loop {
            match self.parcels.recv_blocking() {
                Ok(parcel) => {
                    if let Some(told) = self.open(parcel) {
                        return Some(told);
                    }
                }
                Err(RecvError) => return self.end(),
            }
        }
    }

    /// The next change, if there is one by then; `None` also after the end.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Option<Result<Change<M>, Interruption>> {
        let until = std::time::Instant::now() + timeout;
        loop {
            if let Some(told) = self.try_recv() {
                return Some(told);
            }
            let left = until.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() || self.parcels.is_closed() {
                return self.try_recv();
            }
            // Short steps: a channel can be waited for with a limit of time from async code only.
            std::thread::sleep(left.min(Duration::from_millis(1)));
        }
    }

    /// The next change, if it is there.
    pub fn try_recv(&mut self) -> Option<Result<Change<M>, Interruption>> {
        loop {
            match self.parcels.try_recv() {
                Ok(parcel) => {
                    if let Some(told) = self.open(parcel) {
                        return Some(told);
                    }
                }
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Closed) => return self.end(),
            }
        }
    }

    fn open(&self, parcel: Parcel<M>) -> Option<Result<Change<M>, Interruption>> {
        match parcel {
            Parcel::Change(change) if self.seen.as_ref().is_some_and(|seen| seen.has(&change)) => None,
            Parcel::Change(change) => Some(Ok(change)),
            Parcel::Unreadable(unreadable) => Some(Err(Interruption::Unreadable(unreadable))),
            Parcel::End => None,
        }
    }

    fn end(&self) -> Option<Result<Change<M>, Interruption>> {
        lock(&self.ending).take().map(Err)
    }
}

impl<M: Model> Stream for Feed<M> {
    type Item = Result<Change<M>, Interruption>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(parcel) = ready!(self.parcels.as_mut().poll_next(cx)) else {
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
            lock(&router).unsubscribe(self.id);
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

/// A subscription whose changes come in whole transactions: those of a transaction that are on its channels, together.
///
/// See [`Hub::subscribe_whole`](super::Hub::subscribe_whole). On SQLite, which numbers no transactions, several can come
/// as one, and never a part of one.
#[must_use = "a feed that is dropped is unsubscribed"]
#[derive(Debug)]
pub struct WholeFeed<M: Model> {
    feed: Feed<M>,
    open: Vec<Change<M>>,
}

impl<M: Model> WholeFeed<M> {
    pub(crate) fn new(feed: Feed<M>) -> Self {
        Self { feed, open: Vec::new() }
    }

    /// Passes over the changes that a reading of the table has seen already: see [`Snapshot`].
    pub fn after(mut self, seen: Snapshot) -> Self {
        self.feed.seen = Some(seen);
        self
    }

    /// The next transaction. `None` after the end. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Vec<Change<M>>, Interruption>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next transaction, for blocking code. `None` after the end.
    pub fn recv(&mut self) -> Option<Result<Vec<Change<M>>, Interruption>> {
        loop {
            match self.feed.parcels.recv_blocking() {
                Ok(parcel) => {
                    if let Some(told) = self.gather(parcel) {
                        return Some(told);
                    }
                }
                Err(RecvError) => return lock(&self.feed.ending).take().map(Err),
            }
        }
    }

    fn gather(&mut self, parcel: Parcel<M>) -> Option<Result<Vec<Change<M>>, Interruption>> {
        let end = matches!(parcel, Parcel::End);
        match self.feed.open(parcel) {
            Some(Ok(change)) => self.open.push(change),
            Some(Err(error)) => return Some(Err(error)),
            None => {}
        }
        (end && !self.open.is_empty()).then(|| Ok(std::mem::take(&mut self.open)))
    }
}

impl<M: Model> Stream for WholeFeed<M> {
    type Item = Result<Vec<Change<M>>, Interruption>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(parcel) = ready!(self.feed.parcels.as_mut().poll_next(cx)) else {
                return Poll::Ready(lock(&self.feed.ending).take().map(Err));
            };
            if let Some(told) = self.gather(parcel) {
                return Poll::Ready(Some(told));
            }
        }
    }
}
