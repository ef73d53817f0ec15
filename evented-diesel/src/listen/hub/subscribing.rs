//! A subscription, before it is one.

use evented_core::Position;

use super::super::channel::Channel;
use super::super::feed::Feed;
use super::super::router::{Wanted, with};
use super::super::whole::WholeFeed;
use super::shared::look;
use super::{Hub, HubError};
use crate::model::Model;

/// How many changes wait for a subscriber, unless it is said otherwise.
pub(super) const BUFFER: usize = 1_024;

/// A subscription of which more is said than to what. See [`Hub::subscribing`].
#[derive(Debug)]
#[must_use = "nothing is subscribed to until `feed` or `whole_feed` is called"]
pub struct Subscribing<'h, M: Model> {
    pub(super) hub: &'h Hub,
    pub(super) channel: Channel<M>,
    pub(super) from: Option<Position>,
    pub(super) buffer: usize,
}

impl<M: Model> Subscribing<'_, M> {
    /// From a place on, instead of from now: see [`Hub::subscribe_from`].
    pub fn from(mut self, position: Position) -> Self {
        self.from = Some(position);
        self
    }

    /// How many changes wait for the subscriber at most: 1,024, unless it is said here; at least 4. With more it has fallen
    /// behind.
    pub fn buffer(mut self, changes: usize) -> Self {
        self.buffer = changes;
        self
    }

    /// Subscribes, change by change.
    ///
    /// # Errors
    ///
    /// A model that the hub does not read, a policy that forbids it, a scope that cannot be.
    pub fn feed(self) -> Result<Feed<M>, HubError> {
        self.open(false)
    }

    /// Subscribes to whole transactions. One that has more changes than the buffer takes does not come through: it is told
    /// anew from its beginning each time.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn whole_feed(self) -> Result<WholeFeed<M>, HubError> {
        self.open(true).map(WholeFeed::new)
    }

    fn open(self, whole: bool) -> Result<Feed<M>, HubError> {
        let Self { hub, channel, from, buffer } = self;
        let router = hub.router::<M>()?;
        channel.check()?;
        let feed = with(&router, |router| router.subscribe(Wanted { channel, buffer, whole, from }));
        let feed = feed.ok_or_else(|| hub.stopped())?;
        if from.is_some() {
            look();
        }
        Ok(feed)
    }
}
