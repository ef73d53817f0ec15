//! Indexes the subscribers of one model by the targets of their channels. The cost of a look-up does not depend on the
//! number of other subscribers.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;

use evented_core::{Channel, ChannelTarget, KeyValue, RawChange, ScopeKey};
use evented_diesel::Model;

/// The ids of the subscriptions, by the targets of their channels.
pub(super) struct SubscriberIndex<M: Model> {
    // Sets, so that a subscriber that leaves costs little however many there are.
    all: BTreeSet<u64>,
    records: HashMap<KeyValue, BTreeSet<u64>>,
    /// One map for each combination of the model's scopes.
    scopes: Vec<HashMap<ScopeKey, BTreeSet<u64>>>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> SubscriberIndex<M> {
    pub(super) fn new() -> Self {
        Self {
            all: BTreeSet::new(),
            records: HashMap::new(),
            scopes: M::SCOPES.iter().map(|_| HashMap::new()).collect(),
            model: PhantomData,
        }
    }

    pub(super) fn add(&mut self, id: u64, channel: &Channel<M>) {
        if let Some(list) = self.list(channel) {
            list.insert(id);
        }
    }

    pub(super) fn remove(&mut self, id: u64, channel: &Channel<M>) {
        let Some(list) = self.list(channel) else { return };
        list.remove(&id);
        if !list.is_empty() {
            return;
        }
        match channel.target() {
            Ok(ChannelTarget::Record(key)) => drop(self.records.remove(key)),
            Ok(ChannelTarget::Scope(scope)) => {
                let scopes = self.scopes.get_mut(scope.combination());
                drop(scopes.zip(scope.key()).and_then(|(scopes, key)| scopes.remove(&key)));
            }
            Ok(ChannelTarget::All) | Err(_) => {}
        }
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.records.clear();
        self.scopes.iter_mut().for_each(HashMap::clear);
    }

    /// Returns the subscriptions with a channel that matches this change. An id can occur more than once.
    pub(super) fn concerned(&self, change: &RawChange<M>, key: Option<&KeyValue>) -> Vec<u64> {
        let mut ids: Vec<u64> = self.all.iter().copied().collect();
        ids.extend(key.and_then(|key| self.records.get(key)).into_iter().flatten());
        for (combination, scopes) in self.scopes.iter().enumerate() {
            let before = change.scopes_before().get(combination);
            let after = change.scopes_after().get(combination);
            ids.extend(before.and_then(|key| scopes.get(&key)).into_iter().flatten());
            if after != before {
                ids.extend(after.and_then(|key| scopes.get(&key)).into_iter().flatten());
            }
        }
        ids
    }

    /// Returns the subscriptions to a channel's target.
    fn list(&mut self, channel: &Channel<M>) -> Option<&mut BTreeSet<u64>> {
        match channel.target().ok()? {
            ChannelTarget::All => Some(&mut self.all),
            ChannelTarget::Record(key) => Some(self.records.entry(key.clone()).or_default()),
            ChannelTarget::Scope(scope) => {
                let scopes = self.scopes.get_mut(scope.combination())?;
                Some(scopes.entry(scope.key()?).or_default())
            }
        }
    }
}
