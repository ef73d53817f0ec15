//! Finds the queries that a change may concern, without asking each.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use super::field::FieldRef;
use super::filter::{Op, Test};
use super::plan::{Plan, Target};
use super::queries::QueryId;
use super::routes::{By, RouteOf};
use crate::{Evented, KeyValue};

/// The queries of a model, by what their records have in common.
pub(super) struct Index<M: Evented> {
    /// The queries that name the record by its key.
    named: HashMap<KeyValue, Vec<QueryId>>,
    /// The queries that hold the record.
    holders: HashMap<KeyValue, Vec<QueryId>>,
    /// The queries whose records all have one of some values in a field.
    fields: Vec<FieldIndex<M>>,
    /// The queries that any record may enter.
    others: Vec<QueryId>,
    /// The routes to the value whose lists the queries are, if they are those of one.
    route: RouteOf<M>,
}

struct FieldIndex<M> {
    field: FieldRef<M>,
    queries: HashMap<Vec<u8>, Vec<QueryId>>,
    count: usize,
}

impl<M: Evented> Index<M> {
    pub(super) fn new(route: RouteOf<M>) -> Self {
        let (named, holders) = (HashMap::new(), HashMap::new());
        Self { named, holders, fields: Vec::new(), others: Vec::new(), route }
    }

    pub(super) fn add(&mut self, id: QueryId, plan: &Plan<M>) {
        let route = &self.route;
        if let Target::Keys(keys) = &plan.target {
            return keys.list.iter().for_each(|key| put(&mut self.named, key, id, route, By::Record(key)));
        }
        let Some(test) = key_test(plan) else {
            if self.others.is_empty() {
                route.add(By::All);
            }
            return self.others.push(id);
        };
        let at = self.fields.iter().position(|it| it.field.index == test.field.index);
        let at = at.unwrap_or_else(|| {
            let (field, queries) = (test.field.clone(), HashMap::new());
            self.fields.push(FieldIndex { field, queries, count: 0 });
            self.fields.len() - 1
        });
        if let Some(FieldIndex { field, queries, count }) = self.fields.get_mut(at) {
            *count += 1;
            values(test).for_each(|value| put(queries, value, id, route, By::Field(field, value)));
        }
    }

    pub(super) fn remove(&mut self, id: QueryId, plan: &Plan<M>) {
        let route = &self.route;
        if let Target::Keys(keys) = &plan.target {
            return keys.list.iter().for_each(|key| take(&mut self.named, key, id, route, By::Record(key)));
        }
        let Some(test) = key_test(plan) else {
            self.others.retain(|other| *other != id);
            if self.others.is_empty() {
                route.remove(By::All);
            }
            return;
        };
        let index = self.fields.iter_mut().find(|it| it.field.index == test.field.index);
        if let Some(FieldIndex { field, queries, count }) = index {
            *count = count.saturating_sub(1);
            values(test).for_each(|value| take(queries, value, id, route, By::Field(field, value)));
        }
        self.fields.retain(|index| index.count > 0);
    }

    /// Records that a query holds a row.
    pub(super) fn hold(&mut self, id: QueryId, key: &KeyValue) {
        if self.holders.get(key).is_none_or(|holders| !holders.contains(&id)) {
            put(&mut self.holders, key, id, &self.route, By::Record(key));
        }
    }

    /// Records that a query no longer holds a row.
    pub(super) fn release(&mut self, id: QueryId, key: &KeyValue) {
        take(&mut self.holders, key, id, &self.route, By::Record(key));
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

impl<M: Evented> Drop for Index<M> {
    fn drop(&mut self) {
        let route = &self.route;
        self.named.keys().chain(self.holders.keys()).for_each(|key| route.remove(By::Record(key)));
        for FieldIndex { field, queries, .. } in &self.fields {
            queries.keys().for_each(|value| route.remove(By::Field(field, value)));
        }
        if !self.others.is_empty() {
            route.remove(By::All);
        }
    }
}

/// Adds a query under a key. The first one adds the route.
fn put<K, Q, M: Evented>(
    map: &mut HashMap<K, Vec<QueryId>>,
    key: &Q,
    id: QueryId,
    route: &RouteOf<M>,
    by: By<'_, M>,
) where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    match map.get_mut(key) {
        Some(ids) => ids.push(id),
        None => {
            map.insert(key.to_owned(), vec![id]);
            route.add(by);
        }
    }
}

/// Removes a query from a key. The last one removes the route.
fn take<K, Q, M: Evented>(
    map: &mut HashMap<K, Vec<QueryId>>,
    key: &Q,
    id: QueryId,
    route: &RouteOf<M>,
    by: By<'_, M>,
) where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ?Sized,
{
    if let Some(ids) = map.get_mut(key) {
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            map.remove(key);
            route.remove(by);
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
