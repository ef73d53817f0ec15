//! Finds the values that a change may concern, among those that follow changes on their own: trees and watches.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::field::FieldRef;
use crate::channel::{Channel, ChannelTarget};
use crate::{Evented, KeyValue, RawChange, Scope, ScopeKey};

/// The values that follow changes, by what concerns them. The cost of a look-up does not depend on how many there are.
#[doc(hidden)]
#[derive(Default)]
pub struct Routes {
    models: Mutex<HashMap<TypeId, Arc<dyn OfModel>>>,
}

/// The routes to one value, which has a number.
#[doc(hidden)]
#[derive(Clone)]
pub struct Route {
    routes: Arc<Routes>,
    id: u64,
}

/// The routes of one model to one value. Without a table there is nobody to find it by them.
pub(super) struct RouteOf<M: Evented> {
    table: Option<Arc<Mutex<Table<M>>>>,
    id: u64,
}

/// By what a change concerns a value.
#[derive(Debug)]
pub(super) enum By<'k, M: Evented> {
    /// The record.
    Record(&'k KeyValue),
    /// What the record has in a field, before or after, in canonical form.
    Field(&'k FieldRef<M>, &'k [u8]),
    /// A scope that the record is in, before or after.
    Scope(&'k Scope<M>),
    /// The model.
    All,
}

/// A channel that a value has, with the route to the value.
#[doc(hidden)]
pub struct RoutedChannel<M: Evented> {
    channel: Channel<M>,
    route: RouteOf<M>,
}

/// The values by what concerns them.
struct Table<M> {
    records: HashMap<KeyValue, Ids>,
    fields: Vec<FieldTable<M>>,
    /// One map for each combination of the model's scopes.
    scopes: Vec<HashMap<ScopeKey, Ids>>,
    all: Ids,
}

/// The values by what a record has in a field.
struct FieldTable<M> {
    field: FieldRef<M>,
    values: HashMap<Vec<u8>, Ids>,
}

/// The numbers of values, each with how often it was added.
enum Ids {
    One(u64, usize),
    Many(HashMap<u64, usize>),
}

/// [`Table`] with its model erased.
trait OfModel: Send + Sync {
    fn concerned(&self, change: &Arc<dyn Any + Send + Sync>) -> Vec<u64>;
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Routes {
    /// The values that a change may concern, each once: an `Arc<RawChange<M>>`.
    #[must_use]
    pub fn concerned(&self, model: TypeId, change: &Arc<dyn Any + Send + Sync>) -> Vec<u64> {
        let of_model = lock(&self.models).get(&model).cloned();
        let mut ids = of_model.map(|of_model| of_model.concerned(change)).unwrap_or_default();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Route {
    /// The routes to the value with this number.
    #[must_use]
    pub fn new(routes: &Arc<Routes>, id: u64) -> Self {
        Self { routes: Arc::clone(routes), id }
    }

    pub(super) fn of<M: Evented>(&self) -> RouteOf<M> {
        let mut models = lock(&self.routes.models);
        let of_model = models
            .entry(TypeId::of::<M>())
            .or_insert_with(|| Arc::new(Mutex::new(Table::<M>::new())) as Arc<dyn OfModel>);
        RouteOf { table: Arc::clone(of_model).as_any().downcast().ok(), id: self.id }
    }
}

impl<M: Evented> RouteOf<M> {
    /// Routes to nothing.
    pub(super) fn nowhere() -> Self {
        Self { table: None, id: 0 }
    }

    /// Adds a route. It is there until it was removed as often as it was added.
    pub(super) fn add(&self, by: By<'_, M>) {
        if let Some(table) = &self.table {
            lock(table).add(by, self.id);
        }
    }

    pub(super) fn remove(&self, by: By<'_, M>) {
        if let Some(table) = &self.table {
            lock(table).remove(by, self.id);
        }
    }
}

impl<M: Evented> RoutedChannel<M> {
    /// Adds the route of a channel.
    #[must_use]
    pub fn new(channel: Channel<M>, route: &Route) -> Self {
        let route = route.of::<M>();
        if let Some(by) = by(&channel) {
            route.add(by);
        }
        Self { channel, route }
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &Channel<M> {
        &self.channel
    }
}

impl<M: Evented> Drop for RoutedChannel<M> {
    fn drop(&mut self) {
        if let Some(by) = by(&self.channel) {
            self.route.remove(by);
        }
    }
}

/// By what a change is on a channel.
fn by<M: Evented>(channel: &Channel<M>) -> Option<By<'_, M>> {
    match channel.target().ok()? {
        ChannelTarget::All => Some(By::All),
        ChannelTarget::Record(key) => Some(By::Record(key)),
        ChannelTarget::Scope(scope) => Some(By::Scope(scope)),
    }
}

impl<M: Evented> Table<M> {
    fn new() -> Self {
        Self {
            records: HashMap::new(),
            fields: Vec::new(),
            scopes: M::SCOPES.iter().map(|_| HashMap::new()).collect(),
            all: Ids::Many(HashMap::new()),
        }
    }

    fn add(&mut self, by: By<'_, M>, id: u64) {
        match by {
            By::Record(key) => add(&mut self.records, key.clone(), id),
            By::Field(field, value) => {
                match self.fields.iter_mut().find(|it| it.field.index == field.index) {
                    Some(of_field) => add(&mut of_field.values, value.to_vec(), id),
                    None => {
                        let values = HashMap::from([(value.to_vec(), Ids::One(id, 1))]);
                        self.fields.push(FieldTable { field: field.clone(), values });
                    }
                }
            }
            By::Scope(scope) => {
                let scopes = self.scopes.get_mut(scope.combination());
                if let (Some(scopes), Some(key)) = (scopes, scope.key()) {
                    add(scopes, key, id);
                }
            }
            By::All => self.all.add(id),
        }
    }

    fn remove(&mut self, by: By<'_, M>, id: u64) {
        match by {
            By::Record(key) => remove(&mut self.records, key, id),
            By::Field(field, value) => {
                if let Some(of_field) = self.fields.iter_mut().find(|it| it.field.index == field.index) {
                    remove(&mut of_field.values, value, id);
                }
                self.fields.retain(|of_field| !of_field.values.is_empty());
            }
            By::Scope(scope) => {
                let scopes = self.scopes.get_mut(scope.combination());
                if let (Some(scopes), Some(key)) = (scopes, scope.key()) {
                    remove(scopes, &key, id);
                }
            }
            By::All => {
                self.all.remove(id);
            }
        }
    }

    /// All values that any change of the model concerns.
    fn everyone(&self) -> Vec<u64> {
        let fields = self.fields.iter().flat_map(|of_field| of_field.values.values());
        let scopes = self.scopes.iter().flat_map(HashMap::values);
        let some = self.records.values().chain(fields).chain(scopes);
        some.chain([&self.all]).flat_map(Ids::iter).collect()
    }

    fn concerned(&self, change: &RawChange<M>) -> Vec<u64> {
        if change.table.is_some() {
            return self.everyone();
        }
        let mut ids: Vec<u64> = self.all.iter().collect();
        let key = change.key.as_ref().map(M::key_value);
        ids.extend(key.and_then(|key| self.records.get(&key)).into_iter().flat_map(Ids::iter));
        let sides = [&change.before, &change.after];
        for FieldTable { field, values } in &self.fields {
            for side in sides.into_iter().flatten() {
                let value = field.encoded(side.record());
                ids.extend(value.and_then(|value| values.get(&value)).into_iter().flat_map(Ids::iter));
            }
        }
        for (combination, scopes) in self.scopes.iter().enumerate() {
            for side in [change.scopes_before(), change.scopes_after()] {
                let key = side.get(combination);
                ids.extend(key.and_then(|key| scopes.get(&key)).into_iter().flat_map(Ids::iter));
            }
        }
        ids
    }
}

impl<M: Evented> OfModel for Mutex<Table<M>> {
    fn concerned(&self, change: &Arc<dyn Any + Send + Sync>) -> Vec<u64> {
        let Ok(change) = Arc::clone(change).downcast::<RawChange<M>>() else { return Vec::new() };
        lock(self).concerned(&change)
    }
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

fn add<K: Hash + Eq>(map: &mut HashMap<K, Ids>, key: K, id: u64) {
    match map.entry(key) {
        Entry::Occupied(mut ids) => ids.get_mut().add(id),
        Entry::Vacant(place) => drop(place.insert(Ids::One(id, 1))),
    }
}

fn remove<K: Hash + Eq + std::borrow::Borrow<Q>, Q: Hash + Eq + ?Sized>(
    map: &mut HashMap<K, Ids>,
    key: &Q,
    id: u64,
) {
    if map.get_mut(key).is_some_and(|ids| ids.remove(id)) {
        map.remove(key);
    }
}

impl Ids {
    fn add(&mut self, id: u64) {
        match self {
            Self::One(known, count) if *known == id => *count += 1,
            Self::One(known, count) => *self = Self::Many(HashMap::from([(*known, *count), (id, 1)])),
            Self::Many(ids) => *ids.entry(id).or_default() += 1,
        }
    }

    /// Returns whether none is left.
    fn remove(&mut self, id: u64) -> bool {
        match self {
            Self::One(known, count) => {
                *count -= usize::from(*known == id);
                *count == 0
            }
            Self::Many(ids) => {
                if let Some(count) = ids.get_mut(&id) {
                    *count -= 1;
                    if *count == 0 {
                        ids.remove(&id);
                    }
                }
                ids.is_empty()
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        let (one, many) = match self {
            Self::One(id, _) => (Some(*id), None),
            Self::Many(ids) => (None, Some(ids.keys().copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Routes({} models)", lock(&self.models).len())
    }
}

impl<M: Evented> std::fmt::Debug for RoutedChannel<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.channel.fmt(f)
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Route({})", self.id)
    }
}
