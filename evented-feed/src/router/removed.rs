//! Values of the user that a router has removed. They are dropped outside its lock, one by one.

use std::sync::Mutex;

use evented_core::Channel;
use evented_diesel::Model;
use evented_diesel::spi::{Delivery, catch_panic};

use super::Router;
use super::subscriber::Subscriber;
use crate::feed::FeedItem;
use crate::sync::lock;

/// What was removed. It contains values of the user, which [`with`] drops.
pub(super) struct Removed<M: Model> {
    pub(super) subscribers: Vec<Subscriber<M>>,
    pub(super) channels: Vec<Channel<M>>,
    pub(super) items: Vec<FeedItem<M>>,
    pub(super) deliveries: Vec<Delivery<M>>,
}

impl<M: Model> Default for Removed<M> {
    fn default() -> Self {
        Self { subscribers: Vec::new(), channels: Vec::new(), items: Vec::new(), deliveries: Vec::new() }
    }
}

impl<M: Model> Removed<M> {
    /// Drops one value after the other. If the `drop` of a user's type panics, the hub drops the remaining values and
    /// continues.
    fn drop_all(self) {
        let Self { subscribers, channels, items, deliveries } = self;
        for mut subscriber in subscribers {
            drop_each(std::mem::take(&mut subscriber.channels));
            catch_panic(|| drop(subscriber));
        }
        drop_each(channels);
        drop_each(items);
        drop_each(deliveries);
    }
}

/// Drops values of the user one by one. A panic ends with the value that it is from.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    for value in values {
        catch_panic(|| drop(value));
    }
}

/// Runs `work` on a locked router. Drops what `work` removed after it has released the lock: policies may hold feeds, or
/// the hub.
pub(crate) fn with<M: Model, R>(router: &Mutex<Router<M>>, work: impl FnOnce(&mut Router<M>) -> R) -> R {
    let mut locked = lock(router);
    let done = work(&mut locked);
    let removed = std::mem::take(&mut locked.removed);
    drop(locked);
    removed.drop_all();
    done
}
