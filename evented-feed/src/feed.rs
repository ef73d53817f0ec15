//! The feed: the subscriber's side of a subscription.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::Receiver;
use evented_core::{Change, Channel, Denied, Evented, Position};
use evented_diesel::stream::{Interruption, ReadPoint};
use futures_core::Stream;

mod blocking_next;
mod buffer;
mod transaction_feed;

pub use blocking_next::RecvError;
pub(crate) use blocking_next::deadline;
pub(crate) use buffer::{EndReason, FeedItem, later};
pub use transaction_feed::TransactionFeed;

/// The subscriptions of one model, as a feed sees them. The router implements it.
pub(crate) trait Subscriptions<M: Evented>: Send + Sync {
    /// The position up to which the hub knows that a subscriber has taken everything.
    fn drained(&self, id: u64) -> Option<Position>;
    /// Adds a channel that was [checked](Channel::check).
    fn add(&self, id: u64, channel: Channel<M>);
    /// Removes a channel.
    fn remove(&self, id: u64, channel: &Channel<M>);
    /// Ends a subscription.
    fn unsubscribe(&self, id: u64);
}

/// A subscription: the changes of its channels, in the order of the stream.
///
/// A feed is a [`Stream`], and also has its own [`next`](Self::next) method; blocking code calls [`recv`](Self::recv).
/// An error that [is final](Interruption::is_final) is the last item. Dropping a feed ends the subscription.
#[must_use = "a feed that is dropped is unsubscribed"]
pub struct Feed<M: Evented> {
    id: u64,
    items: Pin<Box<Receiver<FeedItem<M>>>>,
    end_reason: EndReason,
    subscriptions: Weak<dyn Subscriptions<M>>,
    /// Marks the changes that the subscriber has already read from the table.
    read_point: Option<ReadPoint<M>>,
    start: Position,
    /// The position of the last item that was taken from the buffer.
    taken: Position,
}

impl<M: Evented> Feed<M> {
    pub(crate) fn new(
        id: u64,
        items: Receiver<FeedItem<M>>,
        end_reason: EndReason,
        subscriptions: Weak<dyn Subscriptions<M>>,
        start: Position,
    ) -> Self {
        Self { id, items: Box::pin(items), end_reason, subscriptions, read_point: None, start, taken: start }
    }

    /// Returns the number of the subscription: [`SubscriptionInfo::id`](crate::SubscriptionInfo::id).
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the position at which the feed began. The feed delivers the changes after this position.
    #[must_use]
    pub fn start(&self) -> Position {
        self.start
    }

    /// Returns the position to resume from: `hub.subscribe_from(channel, position)` delivers every change that this
    /// feed has not yielded yet.
    ///
    /// While the buffer is empty, the position also advances past changes that are not for this subscriber. Store it
    /// periodically even when no change arrives: catching up from an old position is slow, and a WAL hub keeps only the
    /// last [`replay_buffer`](crate::WalHubBuilder::replay_buffer) changes.
    #[must_use]
    pub fn position(&self) -> Position {
        let drained = self.subscriptions.upgrade().and_then(|subscriptions| subscriptions.drained(self.id));
        drained.map_or(self.taken, |drained| later(drained, self.taken))
    }

    /// Skips the changes that the rows read at `read_point` already contain: see [`ReadPoint`].
    pub fn after(mut self, read_point: ReadPoint<M>) -> Self {
        self.read_point = Some(read_point);
        self
    }

    /// Subscribes to a further channel. The feed yields a change on several channels once. A channel replaces the
    /// feed's channel with the same target, if there is one.
    ///
    /// # Errors
    ///
    /// See [`Denied`].
    pub fn add(&mut self, channel: Channel<M>) -> Result<(), Denied> {
        channel.check()?;
        if let Some(subscriptions) = self.subscriptions.upgrade() {
            subscriptions.add(self.id, channel);
        }
        Ok(())
    }

    /// Ends the subscription to the channel with the same target as `channel`. The feed still yields the changes that
    /// are in the buffer.
    pub fn remove(&mut self, channel: &Channel<M>) {
        if let Some(subscriptions) = self.subscriptions.upgrade() {
            subscriptions.remove(self.id, channel);
        }
    }

    /// Waits for the next change. Returns `None` after the end: the hub was stopped, or the feed has yielded a final
    /// error. Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<Result<Change<M>, Interruption>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits for the next change, for blocking code. Returns `None` after the end, as [`next`](Self::next) does.
    pub fn recv(&mut self) -> Option<Result<Change<M>, Interruption>> {
        blocking_next::next(self)
    }

    /// Waits for the next change for at most `timeout`, for blocking code.
    ///
    /// # Errors
    ///
    /// [`RecvError::Timeout`]; [`RecvError::Ended`] after the end; [`RecvError::Interrupted`] instead of a change.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Change<M>, RecvError> {
        blocking_next::next_within(self, timeout)?.map_err(RecvError::Interrupted)
    }

    /// Returns the next change if it is in the buffer. Does not wait.
    ///
    /// # Errors
    ///
    /// [`RecvError::Empty`]; [`RecvError::Ended`] after the end; [`RecvError::Interrupted`] instead of a change.
    pub fn try_recv(&mut self) -> Result<Change<M>, RecvError> {
        blocking_next::next_now(self)?.map_err(RecvError::Interrupted)
    }

    pub(crate) fn taken(&self) -> Position {
        self.taken
    }

    pub(crate) fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<FeedItem<M>>> {
        self.items.as_mut().poll_next(cx)
    }

    /// Converts a buffered item into what the subscriber receives; `None` for an item that the subscriber does not
    /// receive.
    pub(crate) fn open(&mut self, item: FeedItem<M>) -> Option<Result<Change<M>, Interruption>> {
        match item {
            FeedItem::Change(change) => {
                self.taken = change.position();
                let seen = self.read_point.as_ref().is_some_and(|read_point| read_point.has(&change));
                (!seen).then_some(Ok(change))
            }
            FeedItem::Unreadable(unreadable) => {
                self.taken = unreadable.position;
                Some(Err(Interruption::Unreadable(unreadable)))
            }
            FeedItem::EndOfTransaction => None,
        }
    }

    /// Takes the error that ended the feed; `None` if there is none, or after the first call.
    pub(crate) fn take_end_reason<T>(&self) -> Option<Result<T, Interruption>> {
        self.end_reason.take().map(Err)
    }
}

impl<M: Evented> Stream for Feed<M> {
    type Item = Result<Change<M>, Interruption>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(item) = ready!(self.poll_item(cx)) else {
                return Poll::Ready(self.take_end_reason());
            };
            if let Some(change) = self.open(item) {
                return Poll::Ready(Some(change));
            }
        }
    }
}

impl<M: Evented> Drop for Feed<M> {
    fn drop(&mut self) {
        if let Some(subscriptions) = self.subscriptions.upgrade() {
            subscriptions.unsubscribe(self.id);
        }
    }
}

impl<M: Evented> fmt::Debug for Feed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("id", &self.id)
            .field("buffered", &self.items.len())
            .finish_non_exhaustive()
    }
}
