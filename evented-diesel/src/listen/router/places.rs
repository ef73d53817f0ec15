//! Who listens where: by what a change is about its listeners are found, however many others there are.

use std::collections::HashMap;
use std::marker::PhantomData;

use evented_core::{Fact, KeyValue, ScopeKey};

use super::super::channel::{Address, Channel};
use crate::model::Model;

/// The places of one model's channels, with the numbers of the subscriptions that listen there.
pub(super) struct Places<M: Model> {
    all: Vec<u64>,
    records: HashMap<KeyValue, Vec<u64>>,
    /// For each combination of the model's scopes.
    scopes: Vec<HashMap<ScopeKey, Vec<u64>>>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Places<M> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            records: HashMap::new(),
            scopes: M::SCOPES.iter().map(|_| HashMap::new()).collect(),
            model: PhantomData,
        }
    }

    pub(super) fn add(&mut self, id: u64, channel: &Channel<M>) {
        if let Some(list) = self.list(channel) {
            list.push(id);
        }
    }

    pub(super) fn remove(&mut self, id: u64, channel: &Channel<M>) {
        let Some(list) = self.list(channel) else { return };
        list.retain(|it| *it != id);
        if !list.is_empty() {
            return;
        }
        match channel.address() {
            Ok(Address::Record(key)) => drop(self.records.remove(key)),
            Ok(Address::Scope(scope)) => {
                let scopes = self.scopes.get_mut(scope.combination());
                drop(scopes.zip(scope.key()).and_then(|(scopes, key)| scopes.remove(&key)));
            }
            Ok(Address::All) | Err(_) => {}
        }
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.records.clear();
        self.scopes.iter_mut().for_each(HashMap::clear);
    }

    /// Who listens where this change is; some perhaps more than once.
    pub(super) fn concerned(&self, fact: &Fact<M>, key: Option<&KeyValue>) -> Vec<u64> {
        let mut ids = self.all.clone();
        ids.extend(key.and_then(|key| self.records.get(key)).into_iter().flatten());
        for (place, scopes) in self.scopes.iter().enumerate() {
            let (before, after) = (fact.scopes_before().get(place), fact.scopes_after().get(place));
            ids.extend(before.and_then(|key| scopes.get(&key)).into_iter().flatten());
            if after != before {
                ids.extend(after.and_then(|key| scopes.get(&key)).into_iter().flatten());
            }
        }
        ids
    }

    /// The listeners at a channel's place.
    fn list(&mut self, channel: &Channel<M>) -> Option<&mut Vec<u64>> {
        match channel.address().ok()? {
            Address::All => Some(&mut self.all),
            Address::Record(key) => Some(self.records.entry(key.clone()).or_default()),
            Address::Scope(scope) => {
                let scopes = self.scopes.get_mut(scope.combination())?;
                Some(scopes.entry(scope.key()?).or_default())
            }
        }
    }
}
