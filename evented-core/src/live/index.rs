//! Finds the queries that a change may concern, without asking each.

use std::collections::HashMap;

use super::field::FieldRef;
use super::filter::{Op, Test};
use super::plan::{Plan, Target};
use super::queries::QueryId;
use crate::{Evented, KeyValue};

/// The queries of a model, by what their records have in common.
pub(super) struct Index<M> {
    /// The queries that name the record by its key.
    named: HashMap<KeyValue, Vec<QueryId>>,
    /// The queries that hold the record.
    holders: HashMap<KeyValue, Vec<QueryId>>,
    /// The queries whose records all have one of some values in a field.
    fields: Vec<FieldIndex<M>>,
    /// The queries that any record may enter.
    others: Vec<QueryId>,
}

struct FieldIndex<M> {
    field: FieldRef<M>,
    queries: HashMap<Vec<u8>, Vec<QueryId>>,
    count: usize,
}

impl<M: Evented> Index<M> {
    pub(super) fn new() -> Self {
        Self { named: HashMap::new(), holders: HashMap::new(), fields: Vec::new(), others: Vec::new() }
    }

    pub(super) fn add(&mut self, id: QueryId, plan: &Plan<M>) {
        if let Target::Keys(keys) = &plan.target {
            return keys.list.iter().for_each(|key| self.named.entry(key.clone()).or_default().push(id));
        }
        let Some(test) = key_test(plan) else { return self.others.push(id) };
        let at = self.fields.iter().position(|it| it.field.index == test.field.index);
        let at = at.unwrap_or_else(|| {
            let (field, queries) = (test.field.clone(), HashMap::new());
            self.fields.push(FieldIndex { field, queries, count: 0 });
            self.fields.len() - 1
        });
        if let Some(index) = self.fields.get_mut(at) {
            index.count += 1;
            values(test).for_each(|value| index.queries.entry(value.to_vec()).or_default().push(id));
        }
    }

    pub(super) fn remove(&mut self, id: QueryId, plan: &Plan<M>) {
        if let Target::Keys(keys) = &plan.target {
            return keys.list.iter().for_each(|key| take(&mut self.named, key, id));
        }
        let Some(test) = key_test(plan) else { return self.others.retain(|other| *other != id) };
        if let Some(index) = self.fields.iter_mut().find(|it| it.field.index == test.field.index) {
            index.count = index.count.saturating_sub(1);
            values(test).for_each(|value| take(&mut index.queries, value, id));
        }
        self.fields.retain(|index| index.count > 0);
    }

    /// Records that a query holds a row.
    pub(super) fn hold(&mut self, id: QueryId, key: &KeyValue) {
        let holders = self.holders.entry(key.clone()).or_default();
        if !holders.contains(&id) {
            holders.push(id);
        }
    }

    /// Records that a query no longer holds a row.
    pub(super) fn release(&mut self, id: QueryId, key: &KeyValue) {
        take(&mut self.holders, key, id);
    }

    /// The queries that hold the record, or that it may enter as it is after the change. A query may be there twice.
    pub(super) fn concerned(&self, key: &KeyValue, after: Option<&M>) -> Vec<QueryId> {
        let mut ids = self.named.get(key).cloned().unwrap_or_default();
        ids.extend(self.holders.get(key).into_iter().flatten());
        if let Some(after) = after {
            for index in &self.fields {
                let queries = index.field.encoded(after).and_then(|value| index.queries.get(&value));
                ids.extend(queries.into_iter().flatten());
            }
            ids.extend(&self.others);
        }
        ids
    }
}

fn take<K: std::hash::Hash + Eq + std::borrow::Borrow<Q>, Q: std::hash::Hash + Eq + ?Sized>(
    map: &mut HashMap<K, Vec<QueryId>>,
    key: &Q,
    id: QueryId,
) {
    if let Some(ids) = map.get_mut(key) {
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

/// The test by which a query is found: the one with the fewest values that all its records pass.
fn key_test<M: Evented>(plan: &Plan<M>) -> Option<&Test<M>> {
    let is_key = |test: &&Test<M>| {
        matches!(test.op, Op::Eq | Op::In) && test.operands.iter().all(|operand| operand.encoded.is_some())
    };
    plan.filter.conjuncts().into_iter().filter(is_key).min_by_key(|test| test.operands.len())
}

fn values<M>(test: &Test<M>) -> impl Iterator<Item = &[u8]> {
    test.operands.iter().filter_map(|operand| operand.encoded.as_deref())
}
