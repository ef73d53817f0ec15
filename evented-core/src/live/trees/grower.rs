//! Builds trees from the lists of a graph.

use std::any::{Any, TypeId};

use super::branches::{At, Branches};
use super::graph::{Graph, Node, NodeId};
use super::lists::{ListId, ListRef};
use super::related::Related;
use super::{Branch, MOST_LEVELS, Tree};
use crate::live::field::Field;
use crate::live::list::List;
use crate::live::model::LiveModel;
use crate::live::plan::{Plan, Target};
use crate::live::row::Row;
use crate::live::value::FieldValue;
use crate::live::window::Held;
use crate::{Evented, KeyValue};

/// Builds the branches of a node from the lists of a graph.
pub(super) struct Grower<'g> {
    graph: &'g mut Graph,
    /// The node that is being built.
    node: NodeId,
    levels: usize,
    /// The lists that the node is built of.
    uses: Vec<ListRef>,
}

/// The children whose foreign key is this one.
fn of_parent<M: LiveModel, F: FieldValue>(
    branch: (TypeId, u16),
    plan: Plan<M>,
    field: Field<M, F>,
    parent: F::Value,
) -> Plan<M> {
    plan.of_parent(branch, field, parent)
}

impl<'g> Grower<'g> {
    pub(super) fn new(graph: &'g mut Graph) -> Self {
        Self { graph, node: Graph::top(), levels: 0, uses: Vec::new() }
    }

    /// The children: the records whose foreign key, `field`, has the key of the parent.
    pub(super) fn has_many<B: Branch, P: LiveModel, F: FieldValue<Value = P::Key>>(
        &mut self,
        at: At,
        parent: &Row<P>,
        field: Field<<B::Node as Tree>::Model, F>,
        related: impl Fn(Related<<B::Node as Tree>::Model>) -> Related<<B::Node as Tree>::Model>,
    ) -> Option<B> {
        let Some(level) = self.level::<B::Node>(at) else { return Some(B::of(Vec::new())) };
        let (id, key) = (self.list_id(at, 0, P::key_value(&parent.key())), parent.key());
        let make = |graph: &Graph| {
            let mut plan = related(Related::new()).at_most(B::MOST).into_plan();
            graph.policies.apply(&mut plan);
            of_parent(id.branch, plan, field, key)
        };
        let (list, rows) = self.rows(id.clone(), make)?;
        let nodes: Vec<_> = rows.iter().map(|held| self.node::<B::Node>(held, level, list)).collect();
        let items: Option<Vec<_>> = nodes.into_iter().collect();
        Some(B::of_list(List::new(items?, rows.into_iter().map(|held| held.key).collect())))
    }

    /// The parent: the record whose key a foreign key of the child, `field`, has.
    pub(super) fn belongs_to<B: Branch, C: LiveModel, F>(
        &mut self,
        at: At,
        child: &Row<C>,
        field: Field<C, F>,
    ) -> Option<B>
    where
        F: FieldValue<Value = <<B::Node as Tree>::Model as Evented>::Key>,
    {
        let (Some(level), Some(key)) = (self.level::<B::Node>(at), field.get(child).value()) else {
            return Some(B::of(Vec::new()));
        };
        let key = <B::Node as Tree>::Model::key_value(key);
        let (list, rows) = self.far(at, &key, |_| {})?;
        let nodes: Option<Vec<_>> = rows.iter().map(|held| self.node::<B::Node>(held, level, list)).collect();
        Some(B::of_list(List::new(nodes?, rows.into_iter().map(|held| held.key).collect())))
    }

    /// The records that links of the model `L` lead to: those links whose `own` field has the key of the parent, by their
    /// `far` field.
    pub(super) fn many_to_many<B: Branch, L: LiveModel, P: LiveModel, F, G>(
        &mut self,
        at: At,
        parent: &Row<P>,
        own: Field<L, F>,
        far: Field<L, G>,
        related: impl Fn(Related<<B::Node as Tree>::Model>) -> Related<<B::Node as Tree>::Model>,
    ) -> Option<B>
    where
        F: FieldValue<Value = P::Key>,
        G: FieldValue<Value = <<B::Node as Tree>::Model as Evented>::Key>,
    {
        let Some(level) = self.level::<B::Node>(at) else { return Some(B::of(Vec::new())) };
        let (id, key) = (self.list_id(at, 1, P::key_value(&parent.key())), parent.key());
        let make = |graph: &Graph| {
            let mut plan = Plan::new(Target::Filtered);
            graph.policies.apply(&mut plan);
            of_parent(id.branch, plan, own, key)
        };
        let (_, links) = self.rows::<L>(id.clone(), make)?;
        let related = related(Related::new()).at_most(B::MOST);
        let (mut found, mut is_whole) = (Vec::new(), true);
        for link in links {
            let Some(key) = far.get(&link.row).value().map(<B::Node as Tree>::Model::key_value) else {
                continue;
            };
            let filter = related.filter_alone();
            let Some((list, rows)) = self.far(at, &key, |plan| plan.filter = filter) else {
                is_whole = false;
                continue;
            };
            is_whole &= self.collect::<B::Node>(rows, level, list, &mut found);
        }
        is_whole.then(|| B::of_list(related.collect(found)))
    }

    /// The children of the children: the records whose `field` has the key of a record of the model `V`, whose `via` field has
    /// the key of the parent.
    pub(super) fn through<B: Branch, V: LiveModel, P: LiveModel, F, G>(
        &mut self,
        at: At,
        parent: &Row<P>,
        via: Field<V, F>,
        field: Field<<B::Node as Tree>::Model, G>,
        related: impl Fn(Related<<B::Node as Tree>::Model>) -> Related<<B::Node as Tree>::Model>,
    ) -> Option<B>
    where
        F: FieldValue<Value = P::Key>,
        G: FieldValue<Value = V::Key>,
    {
        let Some(level) = self.level::<B::Node>(at) else { return Some(B::of(Vec::new())) };
        let (id, key) = (self.list_id(at, 1, P::key_value(&parent.key())), parent.key());
        let make = |graph: &Graph| {
            let mut plan = Plan::new(Target::Filtered);
            graph.policies.apply(&mut plan);
            of_parent(id.branch, plan, via, key)
        };
        let (_, between) = self.rows::<V>(id.clone(), make)?;
        let related = related(Related::new()).at_most(B::MOST);
        let (mut found, mut is_whole) = (Vec::new(), true);
        for Held { row, key } in between {
            let id = self.list_id(at, 0, key);
            let branch = id.branch;
            let filter = related.filter_alone();
            let make = |graph: &Graph| {
                let mut plan = Plan::new(Target::Filtered);
                plan.filter = filter;
                graph.policies.apply(&mut plan);
                of_parent(branch, plan, field, row.key())
            };
            let Some((list, rows)) = self.rows(id, make) else {
                is_whole = false;
                continue;
            };
            is_whole &= self.collect::<B::Node>(rows, level, list, &mut found);
        }
        is_whole.then(|| B::of_list(related.collect(found)))
    }

    /// Builds the nodes of a list. Returns whether all of them are known.
    fn collect<T: Tree>(
        &mut self,
        rows: Vec<Held<T::Model>>,
        level: u16,
        list: ListRef,
        found: &mut Vec<(Held<T::Model>, T)>,
    ) -> bool {
        let mut is_whole = true;
        for held in rows {
            match self.node::<T>(&held, level, list) {
                Some(node) => found.push((held, node)),
                None => is_whole = false,
            }
        }
        is_whole
    }

    /// The record with a key.
    fn far<M: LiveModel>(
        &mut self,
        at: At,
        key: &KeyValue,
        narrow: impl FnOnce(&mut Plan<M>),
    ) -> Option<(ListRef, Vec<Held<M>>)> {
        self.rows(self.list_id(at, 0, key.clone()), |graph| {
            let mut plan = Plan::new(Target::keys([key.clone()]));
            narrow(&mut plan);
            graph.policies.apply(&mut plan);
            plan
        })
    }

    /// The trees of the roots.
    pub(super) fn roots<T: Tree>(&mut self, plan: &Plan<T::Model>) -> Option<List<T>> {
        let id = self.list_id(At { branch: 0, depth: None }, 0, KeyValue::Int(0));
        let (list, rows) = self.rows(id, |_| plan.clone())?;
        let nodes: Vec<_> = rows.iter().map(|held| self.node::<T>(held, 0, list)).collect();
        let items: Option<Vec<_>> = nodes.into_iter().collect();
        let built = items.map(|items| List::new(items, rows.into_iter().map(|held| held.key).collect()));
        let uses = std::mem::take(&mut self.uses);
        let top = Node { row: Box::new(()), value: None, is_clean: built.is_some(), lists: Vec::new(), uses };
        self.graph.nodes.insert(Graph::top(), top);
        built
    }

    fn list_id(&self, at: At, level: u8, owner: KeyValue) -> ListId {
        ListId { branch: (self.node.0, at.branch), level, owner }
    }

    /// How often the tree of a branch has nested itself; `None` if it may not any more.
    fn level<T: Tree>(&self, at: At) -> Option<u16> {
        if TypeId::of::<T>() != self.node.0 {
            return Some(0);
        }
        let level = self.node.1.saturating_add(1);
        at.depth.is_none_or(|depth| level <= depth).then_some(level)
    }

    /// The rows of a list; `None` if they are not known yet.
    fn rows<M: LiveModel>(
        &mut self,
        id: ListId,
        make: impl FnOnce(&Graph) -> Plan<M>,
    ) -> Option<(ListRef, Vec<Held<M>>)> {
        let known = self.graph.lists::<M>()?.known(&id, &self.node);
        let query = match known {
            Some(query) => query,
            None => {
                let plan = make(self.graph);
                self.graph.lists::<M>()?.add(id, &self.node, plan)
            }
        };
        let list = (TypeId::of::<M>(), query);
        self.uses.push(list);
        let queries = &self.graph.lists::<M>()?.queries;
        queries.stands(query).then(|| (list, queries.rows(query).to_vec()))
    }

    /// The tree of a record in a list; `None` if something of it is not known yet.
    fn node<T: Tree>(&mut self, held: &Held<T::Model>, level: u16, list: ListRef) -> Option<T> {
        if T::IS_ROW {
            return T::grow(&held.row, None, &mut Branches::grow(self));
        }
        let id: NodeId = (TypeId::of::<T>(), level, held.key.clone());
        if let Some(node) = self.graph.nodes.get_mut(&id) {
            if !node.lists.contains(&list) {
                node.lists.push(list);
            }
            let is_same = node.row.downcast_ref::<Row<T::Model>>().is_some_and(|row| row.is(&held.row));
            if node.is_clean && is_same {
                return value_of(node);
            }
        }
        if self.levels >= MOST_LEVELS {
            self.graph.is_too_deep = true;
            return None;
        }
        let mut below =
            Grower { graph: self.graph, node: id.clone(), levels: self.levels + 1, uses: Vec::new() };
        let built = T::grow(&held.row, None, &mut Branches::grow(&mut below));
        let uses = below.uses;
        let before = self.graph.nodes.remove(&id);
        let lists = before.as_ref().map_or_else(|| vec![list], |node| node.lists.clone());
        // What is equal stays the same in memory.
        let old = before.as_ref().and_then(value_of::<T>);
        let value = match (built, old) {
            (Some(built), Some(old)) if built == old => Some(old),
            (built, _) => built,
        };
        let kept: Option<Box<dyn Any + Send>> = match &value {
            Some(value) => Some(Box::new(value.clone())),
            None => before.and_then(|node| node.value),
        };
        let row = Box::new(held.row.clone());
        self.graph.nodes.insert(id, Node { row, value: kept, is_clean: value.is_some(), lists, uses });
        value
    }
}

fn value_of<T: Tree>(node: &Node) -> Option<T> {
    node.value.as_ref().and_then(|value| value.downcast_ref::<T>()).cloned()
}
