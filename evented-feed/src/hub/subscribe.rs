//! The builder of a subscription.

use evented_core::{Channel, Position};
use evented_diesel::Model;

use crate::feed::{Feed, TransactionFeed};
use crate::hints::poll_now;
use crate::hub::{Hub, HubError};
use crate::router::{SubscribeRequest, with};

/// How many changes a subscriber's buffer holds, by default.
pub(super) const DEFAULT_BUFFER: usize = 1_024;

/// Configures a subscription before it is made. See [`Hub::subscribe_builder`].
#[derive(Debug)]
#[must_use = "nothing is subscribed to until `feed` or `transaction_feed` is called"]
pub struct SubscribeBuilder<'h, M: Model> {
    pub(super) hub: &'h Hub,
    pub(super) channel: Channel<M>,
    pub(super) resume: Option<Position>,
    pub(super) buffer: usize,
}

impl<M: Model> SubscribeBuilder<'_, M> {
    /// Sets the position to resume from: the feed begins with the first change after it. Default: now. See
    /// [`Hub::subscribe_from`].
    pub fn resume(mut self, position: Position) -> Self {
        self.resume = Some(position);
        self
    }

    /// Sets how many changes the subscriber's buffer holds. Default: 1,024. Minimum: 4. With one more change the
    /// subscriber has fallen behind, and its subscription ends.
    pub fn buffer(mut self, changes: usize) -> Self {
        self.buffer = changes;
        self
    }

    /// Subscribes to single changes.
    ///
    /// # Errors
    ///
    /// As [`Hub::subscribe`].
    pub fn feed(self) -> Result<Feed<M>, HubError> {
        self.open(false)
    }

    /// Subscribes to whole transactions. A transaction with more changes than the buffer holds is never delivered: the
    /// subscriber lags, and when it resumes, the transaction starts again from its beginning.
    ///
    /// # Errors
    ///
    /// As [`Hub::subscribe`].
    pub fn transaction_feed(self) -> Result<TransactionFeed<M>, HubError> {
        self.open(true).map(TransactionFeed::new)
    }

    fn open(self, by_transaction: bool) -> Result<Feed<M>, HubError> {
        let Self { hub, channel, resume, buffer } = self;
        let router = hub.router::<M>()?;
        channel.check()?;
        let request = SubscribeRequest { channel, buffer, by_transaction, resume };
        let feed = with(&router, |router| router.subscribe(request)).ok_or_else(|| hub.stopped())?;
        if resume.is_some() {
            poll_now();
        }
        Ok(feed)
    }
}
