//! The lists and the nodes of a tree.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::lists::{ListRef, Lists, ModelLists};
use super::policies::Policies;
use crate::live::model::LiveModel;
use crate::live::routes::Route;
use crate::{KeyValue, Position};

/// A change of a record of any model: an `Arc<RawChange<M>>`.
#[doc(hidden)]
#[derive(Clone)]
pub struct Change {
    /// The model.
    pub model: TypeId,
    /// The change.
    pub change: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change")
    }
}

/// A node: the type of its tree, how often that has nested itself above it, and the key of its record.
pub(super) type NodeId = (TypeId, u16, KeyValue);

/// What is known of a node.
pub(super) struct Node {
    /// The row that the value was built of.
    pub(super) row: Box<dyn Any + Send>,
    /// The last value that was complete.
    pub(super) value: Option<Box<dyn Any + Send>>,
    /// Whether the value is that of the lists as they are.
    pub(super) is_clean: bool,
    /// The lists that the node is in. It may have left some.
    pub(super) lists: Vec<ListRef>,
    /// The lists that the value was built of.
    pub(super) uses: Vec<ListRef>,
}

/// The lists and the nodes of a tree. A node is built once, and again when one of its lists, or a node below it, changes.
pub(super) struct Graph {
    models: HashMap<TypeId, Box<dyn Lists>>,
    pub(super) nodes: HashMap<NodeId, Node>,
    pub(super) policies: Policies,
    says_generated: bool,
    spare: usize,
    route: Option<Route>,
    /// How many nodes and lists there were after those without use were removed.
    swept: usize,
    /// Whether a branch was deeper than a tree may be.
    pub(super) is_too_deep: bool,
}

/// With fewer nodes and lists than this, none is looked for that is without use.
const FEW: usize = 64;

impl Graph {
    pub(super) fn new(policies: Policies, says_generated: bool, spare: usize, route: Option<Route>) -> Self {
        Self {
            models: HashMap::new(),
            nodes: HashMap::new(),
            policies,
            says_generated,
            spare,
            route,
            swept: FEW,
            is_too_deep: false,
        }
    }

    /// A graph with nothing in it, of the same policies.
    pub(super) fn again(&self) -> Self {
        Self::new(self.policies.clone(), self.says_generated, self.spare, self.route.clone())
    }

    /// The id of what is above all roots.
    pub(super) fn top() -> NodeId {
        (TypeId::of::<Self>(), 0, KeyValue::Int(0))
    }

    pub(super) fn lists<M: LiveModel>(&mut self) -> Option<&mut ModelLists<M>> {
        let (says_generated, spare, route) = (self.says_generated, self.spare, self.route.as_ref());
        let lists = self.models.entry(TypeId::of::<M>());
        let lists = lists.or_insert_with(|| Box::new(ModelLists::<M>::new(says_generated, spare, route)));
        lists.as_any().downcast_mut()
    }

    pub(super) fn change(&mut self, change: &Change) {
        if let Some(lists) = self.models.get_mut(&change.model) {
            lists.change(change);
        }
    }

    pub(super) fn can_undo(&self, changes: &[Change]) -> bool {
        self.models.values().all(|lists| lists.can_undo(changes))
    }

    /// Ends the reads whose positions are reached. Returns whether there were such reads, or the model and the key of a record on
    /// which memory and the database differ.
    pub(super) fn settle(
        &mut self,
        has_reached: &dyn Fn(Position) -> bool,
        ahead: &[Change],
    ) -> Result<bool, (TypeId, KeyValue)> {
        let mut any = false;
        for (model, lists) in &mut self.models {
            any |= lists.settle(has_reached, ahead).map_err(|key| (*model, key))?;
        }
        Ok(any)
    }

    pub(super) fn is_reading(&self) -> bool {
        self.models.values().any(|lists| lists.is_reading())
    }

    pub(super) fn rows(&self) -> usize {
        self.models.values().map(|lists| lists.rows()).sum()
    }

    /// Marks the nodes that are built of lists that changed.
    pub(super) fn mark_dirty(&mut self) {
        let mut dirty: Vec<ListRef> = Vec::new();
        for (model, lists) in &mut self.models {
            dirty.extend(lists.take_dirty().into_iter().map(|list| (*model, list)));
        }
        while let Some((model, list)) = dirty.pop() {
            let users = self.models.get(&model).map(|lists| lists.users(list)).unwrap_or_default();
            for user in users {
                if let Some(node) = self.nodes.get_mut(&user)
                    && std::mem::take(&mut node.is_clean)
                {
                    dirty.extend(&node.lists);
                }
            }
        }
    }

    /// Removes the nodes and lists that are not in the tree any more, if there are many.
    pub(super) fn sweep(&mut self) {
        let count = |graph: &Self| {
            graph.nodes.len() + graph.models.values().map(|lists| lists.count()).sum::<usize>()
        };
        if count(self) <= self.swept.saturating_mul(2) {
            return;
        }
        let mut nodes_of: HashMap<ListRef, Vec<&NodeId>> = HashMap::new();
        for (id, node) in &self.nodes {
            node.lists.iter().for_each(|list| nodes_of.entry(*list).or_default().push(id));
        }
        let (mut lists, mut nodes) = (HashSet::new(), HashSet::from([Self::top()]));
        let mut queue: Vec<ListRef> =
            self.nodes.get(&Self::top()).map(|top| top.uses.clone()).unwrap_or_default();
        while let Some(list) = queue.pop() {
            if !lists.insert(list) {
                continue;
            }
            let Some(of_model) = self.models.get(&list.0) else { continue };
            for id in nodes_of.get(&list).into_iter().flatten() {
                if of_model.shows(list.1, &id.2) && nodes.insert((*id).clone()) {
                    queue.extend(self.nodes.get(*id).into_iter().flat_map(|node| &node.uses));
                }
            }
        }
        self.nodes.retain(|id, _| nodes.contains(id));
        for node in self.nodes.values_mut() {
            node.lists.retain(|list| lists.contains(list));
        }
        self.models.values_mut().for_each(|of_model| of_model.keep(&lists, &nodes));
        self.swept = count(self).max(FEW);
    }
}
