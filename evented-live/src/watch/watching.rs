//! What a watch is subscribed to.

use std::any::{Any, TypeId};
use std::sync::Arc;

use evented_core::live::{AnyChange, Found, Interests, Policies, Subscription, SyncItem};
use evented_core::{Channel, KeyValue, RawChange};
use evented_diesel::Model;

/// The values and the channels of a watch.
#[derive(Default)]
pub(crate) struct Watching {
    values: Vec<Value>,
    channels: Vec<Box<dyn OnChannel>>,
}

/// Items with one set of policies.
struct Value {
    items: Vec<Box<dyn Followed>>,
    policies: Policies,
    /// Records that belong to the items, and that the items do not hold.
    named: Vec<Name>,
    interests: Interests,
}

/// Adds a record to interests.
type Name = Arc<dyn Fn(&mut Interests) + Send + Sync>;

/// An item of a value, as it is after the changes so far.
trait Followed: Send {
    fn key(&self) -> (TypeId, KeyValue);
    /// Applies a change. Returns whether what concerns the item may be other than before; `None` if its record is deleted.
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Option<bool>;
    fn watch(&self, interests: &mut Interests);
}

struct Item<T>(T);

impl<T: SyncItem + Send> Followed for Item<T> {
    fn key(&self) -> (TypeId, KeyValue) {
        (TypeId::of::<T::Model>(), self.0.item_key())
    }
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Option<bool> {
        let (item, has_changed) = self.0.synced(change, found)?;
        self.0 = item;
        Some(has_changed)
    }
    fn watch(&self, interests: &mut Interests) {
        self.0.watch(interests);
    }
}

/// A channel, with its model erased.
trait OnChannel: Send {
    fn seen(&self, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange>;
    fn subscription(&self) -> Subscription;
}

impl<M: Model> OnChannel for Channel<M> {
    fn seen(&self, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange> {
        let raw: Arc<RawChange<M>> = Arc::clone(raw).downcast().ok()?;
        let key = raw.key.as_ref().map(M::key_value);
        evented_feed::spi::seen_by(std::slice::from_ref(self), &raw, key.as_ref()).map(AnyChange::from)
    }
    fn subscription(&self) -> Subscription {
        Subscription::of_channel(self)
    }
}

impl Value {
    fn watch_again(&mut self) {
        let mut interests = Interests::new(self.policies.clone());
        self.items.iter().for_each(|item| item.watch(&mut interests));
        self.named.iter().for_each(|name| name(&mut interests));
        self.interests = interests;
    }

    fn follow(&mut self, change: &AnyChange) {
        let (mut found, mut has_changed) = (Found::default(), false);
        self.items.retain_mut(|item| match item.apply(change, &mut found) {
            Some(changed) => {
                has_changed |= changed;
                true
            }
            None => {
                has_changed = true;
                false
            }
        });
        let named = found.take_named();
        if has_changed || !named.is_empty() {
            self.named.extend(named);
            self.watch_again();
        }
    }
}

impl Watching {
    pub(crate) fn add_value<T: SyncItem + Send + 'static>(&mut self, items: Vec<T>, policies: Policies) {
        let items = items.into_iter().map(|item| Box::new(Item(item)) as Box<dyn Followed>).collect();
        let mut value = Value { items, policies, named: Vec::new(), interests: Interests::default() };
        value.watch_again();
        self.values.push(value);
    }

    pub(crate) fn add_channel<M: Model>(&mut self, channel: Channel<M>) {
        self.channels.push(Box::new(channel));
    }

    /// The change, if it concerns the watch. The values follow it.
    pub(crate) fn seen(&mut self, model: TypeId, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange> {
        let mut seen = None;
        for value in &mut self.values {
            if let Some(change) = value.interests.seen(model, raw) {
                value.follow(&change);
                seen.get_or_insert(change);
            }
        }
        seen.or_else(|| self.channels.iter().find_map(|channel| channel.seen(raw)))
    }

    pub(crate) fn remove(&mut self, keys: &[(TypeId, KeyValue)]) -> usize {
        let mut removed = 0;
        for value in &mut self.values {
            let before = value.items.len();
            value.items.retain(|item| !keys.contains(&item.key()));
            if value.items.len() < before {
                removed += before - value.items.len();
                value.named.clear();
                value.watch_again();
            }
        }
        self.values.retain(|value| !value.items.is_empty());
        removed
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        let of_values = self.values.iter().flat_map(|value| value.interests.subscriptions());
        let mut all: Vec<_> =
            of_values.chain(self.channels.iter().map(|channel| channel.subscription())).collect();
        all.sort_by_key(|subscription| subscription.schema);
        all
    }
}
