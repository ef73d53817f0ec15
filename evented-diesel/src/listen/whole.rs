//! A subscription to whole transactions.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use evented_core::{Change, Position};
use futures_core::Stream;

use super::channel::Channel;
use super::feed::{Feed, Parcel};
use super::snapshot::Snapshot;
use super::told::Interruption;
use super::{Denied, waiting};
use crate::model::Model;

/// A subscription whose changes come in whole transactions: those of a transaction that are on its channels, together.
///
/// See [`Hub::subscribe_whole`](super::Hub::subscribe_whole). On SQLite, which numbers no transactions, several can come
/// as one, and never a part of one.
#[must_use = "a feed that is dropped is unsubscribed"]
#[derive(Debug)]
pub struct WholeFeed<M: Model> {
    feed: Feed<M>,
    /// What has come of the transaction that is not whole yet.
    open: Vec<Change<M>>,
    /// The place before it.
    began: Position,
}

impl<M: Model> WholeFeed<M> {
    pub(crate) fn new(feed: Feed<M>) -> Self {
        let began = feed.start();
        Self { feed, open: Vec::new(), began }
    }

    /// The subscription's number in [`Hub::subscriptions`](super::Hub::subscriptions).
    #[must_use]
    pub fn id(&self) -> u64 {
        self.feed.id()
    }

    /// Where it began: the transactions after this place are told.
    #[must_use]
    pub fn start(&self) -> Position {
        self.feed.start()
    }

    /// How far it has told: who resumes from here misses nothing, and is given no transaction in part. As
    /// [`Feed::position`].
    #[must_use]
    pub fn position(&self) -> Position {
        if self.open.is_empty() { self.feed.position() } else { self.began }
    }

    /// Passes over the changes that a reading of the table has seen already: see [`Snapshot`].
    pub fn after(mut self, seen: Snapshot<M>) -> Self {
        self.feed = self.feed.after(seen);
        self
    }

    /// Listens on another channel as well: as [`Feed::add`].
    ///
    /// # Errors
    ///
    /// A policy that forbids it, or a scope that cannot be.
    pub fn add(&mut self, channel: Channel<M>) -> Result<(), Denied> {
        self.feed.add(channel)
    }

    /// Listens no more on a channel. Changes that wait already are still told.
    pub fn remove(&mut self, channel: &Channel<M>) {
        self.feed.remove(channel);
    }

    /// The next transaction. `None` after the end: the hub was stopped, or a final error was told. Nothing is lost if the
    /// future is dropped.
    pub async fn next(&mut self) -> Option<Result<Vec<Change<M>>, Interruption>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next transaction, for blocking code. `None` after the end.
    pub fn recv(&mut self) -> Option<Result<Vec<Change<M>>, Interruption>> {
        waiting::next(self)
    }

    /// The next transaction, for blocking code that does not want to wait longer than this.
    ///
    /// # Errors
    ///
    /// `Timeout`; `Disconnected` after the end.
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Result<Vec<Change<M>>, Interruption>, RecvTimeoutError> {
        waiting::next_within(self, timeout)
    }

    /// The next transaction, if it is there, whole.
    ///
    /// # Errors
    ///
    /// `Empty`; `Disconnected` after the end.
    pub fn try_recv(&mut self) -> Result<Result<Vec<Change<M>>, Interruption>, TryRecvError> {
        waiting::next_now(self)
    }

    fn gather(&mut self, parcel: Parcel<M>) -> Option<Result<Vec<Change<M>>, Interruption>> {
        let (before, end) = (self.feed.taken(), matches!(parcel, Parcel::End));
        match self.feed.open(parcel) {
            Some(Ok(change)) => {
                if self.open.is_empty() {
                    self.began = before;
                }
                self.open.push(change);
            }
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
            let Some(parcel) = ready!(self.feed.poll_parcel(cx)) else {
                return Poll::Ready(self.feed.end());
            };
            if let Some(told) = self.gather(parcel) {
                return Poll::Ready(Some(told));
            }
        }
    }
}
