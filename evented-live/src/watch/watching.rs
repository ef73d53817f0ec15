//! What a watch is subscribed to.

use std::any::{Any, TypeId};
use std::sync::Arc;

use evented_core::live::{
    AnyChange, Found, Interests, Outcome, Policies, Route, RoutedChannel, Subscription, SyncItem, Syncable,
};
use evented_core::{Channel, KeyValue, RawChange};
use evented_diesel::spi::{ModelVisitor, SqlTypes};
use evented_diesel::{ItemOn, LiveOn, Model};

/// The values and the channels of a watch.
pub(crate) struct Watching {
    route: Route,
    values: Vec<Value>,
    channels: Vec<Box<dyn OnChannel>>,
}

/// Items with one set of policies.
struct Value {
    items: Vec<Box<dyn Followed>>,
    policies: Policies,
    interests: Interests,
    /// Adds all changes of the models of the items.
    add_all: fn(&mut Interests),
    /// Whether the items miss something, so that it is not known what concerns them.
    is_wide: bool,
}

/// The key of a record, with its model.
pub(crate) type ItemKey = (TypeId, KeyValue);

/// An item of a value, as it is after the changes so far.
trait Followed: Send {
    fn key(&self) -> ItemKey;
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Outcome;
    fn watch(&self, interests: &mut Interests);
    fn as_any(&mut self) -> &mut dyn Any;
}

struct Item<T>(T);

impl<T: SyncItem + Send + 'static> Followed for Item<T> {
    fn key(&self) -> ItemKey {
        key_of(&self.0)
    }
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Outcome {
        self.0.apply(change, found)
    }
    fn watch(&self, interests: &mut Interests) {
        self.0.watch(interests);
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// The key of an item's record.
pub(crate) fn key_of<T: SyncItem>(item: &T) -> ItemKey {
    (TypeId::of::<T::Model>(), item.item_key())
}

/// A channel, with its model erased.
trait OnChannel: Send {
    fn model(&self) -> TypeId;
    fn seen(&self, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange>;
    fn subscription(&self) -> Subscription;
}

impl<M: Model> OnChannel for RoutedChannel<M> {
    fn model(&self) -> TypeId {
        TypeId::of::<M>()
    }
    fn seen(&self, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange> {
        let raw: Arc<RawChange<M>> = Arc::clone(raw).downcast().ok()?;
        let key = raw.key.as_ref().map(M::key_value);
        evented_feed::spi::seen_by(std::slice::from_ref(self.channel()), &raw, key.as_ref())
            .map(AnyChange::from)
    }
    fn subscription(&self) -> Subscription {
        Subscription::of_channel(self.channel())
    }
}

/// Adds all changes of the models that it visits.
struct AddAll<'i>(&'i mut Interests);

impl<DB: SqlTypes> ModelVisitor<DB> for AddAll<'_> {
    fn model<M: LiveOn<DB>>(&mut self) {
        self.0.all::<M>();
    }
}

impl Value {
    /// Finds what concerns the value as it is. The routes to what concerned it before are there until the new ones are.
    fn watch_again(&mut self, route: &Route) {
        let mut interests = Interests::new(self.policies.clone(), Some(route.clone()));
        self.items.iter().for_each(|item| item.watch(&mut interests));
        if self.is_wide {
            (self.add_all)(&mut interests);
        }
        self.interests = interests;
    }

    /// Applies a change. Returns whether what concerns the value may be other than before.
    fn apply(&mut self, change: &AnyChange) -> bool {
        let (mut found, mut has_changed) = (Found::default(), false);
        self.items.retain_mut(|item| {
            let outcome = item.apply(change, &mut found);
            has_changed |= outcome != Outcome::Unchanged;
            outcome != Outcome::Gone
        });
        let is_wide = self.is_wide || found.misses();
        has_changed |= is_wide != self.is_wide;
        self.is_wide = is_wide;
        has_changed
    }
}

impl Watching {
    /// Watches nothing.
    pub(crate) fn new(route: Route) -> Self {
        Self { route, values: Vec::new(), channels: Vec::new() }
    }

    pub(crate) fn add_value<DB: SqlTypes, T: ItemOn<DB> + Send + 'static>(
        &mut self,
        items: Vec<T>,
        policies: Policies,
    ) {
        let items = items.into_iter().map(|item| Box::new(Item(item)) as Box<dyn Followed>).collect();
        let add_all = |interests: &mut Interests| T::visit_models(&mut AddAll(interests));
        let mut value = Value { items, policies, interests: Interests::default(), add_all, is_wide: false };
        value.watch_again(&self.route);
        self.values.push(value);
    }

    pub(crate) fn add_channel<M: Model>(&mut self, channel: Channel<M>) {
        self.channels.push(Box::new(RoutedChannel::new(channel, &self.route)));
    }

    /// The change, if it concerns the watch. The values follow it.
    pub(crate) fn seen(&mut self, model: TypeId, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange> {
        let mut seen = None;
        for value in &mut self.values {
            if let Some(change) = value.interests.seen(model, raw) {
                if value.apply(&change) {
                    value.watch_again(&self.route);
                }
                seen.get_or_insert(change);
            }
        }
        seen.or_else(|| self.channels.iter().find_map(|channel| channel.seen(raw)))
    }

    /// Takes items as the program has them now, and applies the changes that it has not taken.
    pub(crate) fn follow<'c, T: SyncItem + Send + 'static>(
        &mut self,
        items: Vec<T>,
        waiting: impl Iterator<Item = &'c AnyChange> + Clone,
    ) {
        let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
        for value in &mut self.values {
            let mut is_known = !value.items.is_empty();
            for known in &mut value.items {
                let key = known.key();
                let now = items.iter_mut().find(|item| item.as_ref().is_some_and(|item| key_of(item) == key));
                match (now.and_then(Option::take), known.as_any().downcast_mut::<Item<T>>()) {
                    (Some(now), Some(known)) => known.0 = now,
                    _ => is_known = false,
                }
            }
            if is_known {
                value.is_wide = false;
                for change in waiting.clone() {
                    value.apply(change);
                }
            }
            value.watch_again(&self.route);
        }
    }

    pub(crate) fn remove(&mut self, keys: &[ItemKey]) -> usize {
        let count = |watching: &Self| watching.values.iter().map(|value| value.items.len()).sum::<usize>();
        let before = count(self);
        for value in &mut self.values {
            value.items.retain(|item| !keys.contains(&item.key()));
            value.watch_again(&self.route);
        }
        self.values.retain(|value| !value.items.is_empty());
        before - count(self)
    }

    /// The name of a model in the log, if its changes concern the watch.
    pub(crate) fn schema_of(&self, model: TypeId) -> Option<&'static str> {
        let of_value = self.values.iter().find_map(|value| value.interests.schema_of(model));
        of_value.or_else(|| {
            let channel = self.channels.iter().find(|channel| channel.model() == model)?;
            Some(channel.subscription().schema)
        })
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        let of_values = self.values.iter().flat_map(|value| value.interests.subscriptions());
        let mut all: Vec<_> =
            of_values.chain(self.channels.iter().map(|channel| channel.subscription())).collect();
        all.sort_by_key(|subscription| subscription.schema);
        all
    }
}
