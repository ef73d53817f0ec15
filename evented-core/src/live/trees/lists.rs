//! The lists of one model in a tree.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::graph::{Change, NodeId};
use crate::live::model::LiveModel;
use crate::live::plan::Plan;
use crate::live::queries::{Differs, Queries, QueryId};
use crate::live::routes::Route;
use crate::{KeyValue, Position, RawChange};

/// The place of a list in a tree: the branch, the level within it, and the record that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ListId {
    /// The type of the tree that has the branch, and the number of the branch in it.
    pub(super) branch: (TypeId, u16),
    /// 0 for the records of the branch, 1 for those between.
    pub(super) level: u8,
    pub(super) owner: KeyValue,
}

/// A list of a tree, by its model.
pub(super) type ListRef = (TypeId, QueryId);

/// The queries of one model, which are the lists of a tree.
pub(super) struct ModelLists<M: LiveModel> {
    pub(super) queries: Queries<M>,
    ids: HashMap<ListId, QueryId>,
    users: HashMap<QueryId, HashSet<NodeId>>,
}

/// [`ModelLists`] with its model erased.
pub(super) trait Lists: Send {
    fn change(&mut self, change: &Change);
    /// Whether the changes say all that is needed to undo them.
    fn can_undo(&self, changes: &[Change]) -> bool;
    /// Ends the reads whose positions are reached. `ahead` are the changes that the lists have not taken yet. Returns whether
    /// there were such reads, or the key of a record on which memory and the database differ.
    fn settle(&mut self, has_reached: &dyn Fn(Position) -> bool, ahead: &[Change]) -> Result<bool, KeyValue>;
    fn take_dirty(&mut self) -> Vec<QueryId>;
    fn users(&self, list: QueryId) -> Vec<NodeId>;
    fn is_reading(&self) -> bool;
    fn shows(&self, list: QueryId, key: &KeyValue) -> bool;
    fn count(&self) -> usize;
    fn rows(&self) -> usize;
    /// Keeps these lists, and of their users these nodes.
    fn keep(&mut self, lists: &HashSet<ListRef>, nodes: &HashSet<NodeId>);
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<M: LiveModel> ModelLists<M> {
    pub(super) fn new(says_generated: bool, spare: usize, route: Option<&Route>) -> Self {
        let queries = Queries::new(says_generated, spare).routed(route);
        Self { queries, ids: HashMap::new(), users: HashMap::new() }
    }

    /// The list with this id, if it is there. The node uses it from now on.
    pub(super) fn known(&mut self, id: &ListId, user: &NodeId) -> Option<QueryId> {
        let query = *self.ids.get(id)?;
        let users = self.users.entry(query).or_default();
        if !users.contains(user) {
            users.insert(user.clone());
        }
        Some(query)
    }

    /// Adds a list, which the node uses.
    pub(super) fn add(&mut self, id: ListId, user: &NodeId, plan: Plan<M>) -> QueryId {
        let query = self.queries.add(Arc::new(plan));
        self.ids.insert(id, query);
        self.users.insert(query, HashSet::from([user.clone()]));
        query
    }

    fn change_of(change: &Change) -> Option<Arc<RawChange<M>>> {
        if change.model != TypeId::of::<M>() {
            return None;
        }
        Arc::clone(&change.change).downcast().ok()
    }

    fn changes_of(changes: &[Change]) -> Vec<Arc<RawChange<M>>> {
        changes.iter().filter_map(Self::change_of).collect()
    }
}

impl<M: LiveModel> Lists for ModelLists<M> {
    fn change(&mut self, change: &Change) {
        if let Some(change) = Self::change_of(change) {
            self.queries.change(&change);
        }
    }

    fn can_undo(&self, changes: &[Change]) -> bool {
        let changes = Self::changes_of(changes);
        changes.is_empty()
            || (self.queries.says_generated() && changes.iter().all(|change| change.table.is_none()))
    }

    fn settle(&mut self, has_reached: &dyn Fn(Position) -> bool, ahead: &[Change]) -> Result<bool, KeyValue> {
        let ahead = Self::changes_of(ahead);
        let settled = self.queries.settle_before(has_reached, &ahead);
        let any = !settled.is_empty();
        match settled.into_iter().find_map(|settled| settled.err()) {
            Some(Differs { key, .. }) => Err(key),
            None => Ok(any),
        }
    }

    fn take_dirty(&mut self) -> Vec<QueryId> {
        let mut dirty = self.queries.take_dirty();
        // Also those whose rows are not known any more.
        dirty.extend(self.queries.reading());
        dirty
    }

    fn users(&self, list: QueryId) -> Vec<NodeId> {
        self.users.get(&list).into_iter().flatten().cloned().collect()
    }

    fn is_reading(&self) -> bool {
        self.queries.is_reading()
    }

    fn shows(&self, list: QueryId, key: &KeyValue) -> bool {
        self.queries.shows(list, key)
    }

    fn count(&self) -> usize {
        self.ids.len()
    }

    fn rows(&self) -> usize {
        self.ids.values().map(|id| self.queries.kept(*id)).sum()
    }

    fn keep(&mut self, lists: &HashSet<ListRef>, nodes: &HashSet<NodeId>) {
        let model = TypeId::of::<M>();
        self.ids.retain(|_, query| {
            let keep = lists.contains(&(model, *query));
            if !keep {
                self.queries.remove(*query);
                self.users.remove(query);
            }
            keep
        });
        for users in self.users.values_mut() {
            users.retain(|user| nodes.contains(user));
        }
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
