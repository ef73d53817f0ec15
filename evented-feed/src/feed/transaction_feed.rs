//! The feed of whole transactions.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use evented_core::{Change, Channel, Denied, Evented, Position};
use evented_diesel::stream::{Interruption, ReadPoint};
use futures_core::Stream;

use crate::feed::Feed;
use crate::feed::blocking_next::{self, RecvError};
use crate::feed::buffer::FeedItem;

/// A subscription to whole transactions: each item holds all changes of one transaction that are on the feed's
/// channels.
///
/// See [`Hub::subscribe_transactions`](crate::Hub::subscribe_transactions). SQLite does not number its transactions. On
/// SQLite one item can hold several transactions, but never a part of one.
#[must_use = "a feed that is dropped is unsubscribed"]
#[derive(Debug)]
pub struct TransactionFeed<M: Evented> {
    feed: Feed<M>,
    /// The changes received so far of the transaction that is not complete yet.
    open: Vec<Change<M>>,
    /// The position before that transaction.
    began: Position,
}

impl<M: Evented> TransactionFeed<M> {
    pub(crate) fn new(feed: Feed<M>) -> Self {
        let began = feed.start();
        Self { feed, open: Vec::new(), began }
    }

    /// Returns the number of the subscription: [`SubscriptionInfo::id`](crate::SubscriptionInfo::id).
    #[must_use]
    pub fn id(&self) -> u64 {
        self.feed.id()
    }

    /// Returns the position at which the feed began. The feed delivers the transactions after this position.
    #[must_use]
    pub fn start(&self) -> Position {
        self.feed.start()
    }

    /// Returns the position to resume from. A subscriber that resumes from it misses no change and gets no partial
    /// transaction. Store it periodically, as [`Feed::position`].
    #[must_use]
    pub fn position(&self) -> Position {
        if self.open.is_empty() { self.feed.position() } else { self.began }
    }

    /// Skips the changes that the rows read at `read_point` already contain: see [`ReadPoint`].
    pub fn after(mut self, read_point: ReadPoint<M>) -> Self {
        self.feed = self.feed.after(read_point);
        self
    }

    /// Subscribes to a further channel, as [`Feed::add`] does.
    ///
    /// # Errors
    ///
    /// See [`Denied`].
    pub fn add(&mut self, channel: Channel<M>) -> Result<(), Denied> {
        self.feed.add(channel)
    }

    /// Ends the subscription to the channel with the same target as `channel`. The feed still delivers the changes that
    /// are in the buffer.
    pub fn remove(&mut self, channel: &Channel<M>) {
        self.feed.remove(channel);
    }

    /// Waits for the next transaction. Returns `None` after the end: the hub was stopped, or the feed has yielded a
    /// final error. Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<Result<Vec<Change<M>>, Interruption>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits for the next transaction, for blocking code. Returns `None` after the end, as [`next`](Self::next) does.
    pub fn recv(&mut self) -> Option<Result<Vec<Change<M>>, Interruption>> {
        blocking_next::next(self)
    }

    /// Waits for the next transaction for at most `timeout`, for blocking code.
    ///
    /// # Errors
    ///
    /// As [`Feed::recv_timeout`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Vec<Change<M>>, RecvError> {
        blocking_next::next_within(self, timeout)?.map_err(RecvError::Interrupted)
    }

    /// Returns the next transaction if all of it is in the buffer. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`Feed::try_recv`].
    pub fn try_recv(&mut self) -> Result<Vec<Change<M>>, RecvError> {
        blocking_next::next_now(self)?.map_err(RecvError::Interrupted)
    }

    fn gather(&mut self, item: FeedItem<M>) -> Option<Result<Vec<Change<M>>, Interruption>> {
        let (before, end) = (self.feed.taken(), matches!(item, FeedItem::EndOfTransaction));
        match self.feed.open(item) {
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

impl<M: Evented> Stream for TransactionFeed<M> {
    type Item = Result<Vec<Change<M>>, Interruption>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(item) = ready!(self.feed.poll_item(cx)) else {
                return Poll::Ready(self.feed.take_end_reason());
            };
            if let Some(transaction) = self.gather(item) {
                return Poll::Ready(Some(transaction));
            }
        }
    }
}
