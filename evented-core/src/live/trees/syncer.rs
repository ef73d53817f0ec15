//! Applies a change to trees that a program holds.

use std::any::TypeId;

use super::branches::{At, Branches, ModelOf};
use super::related::Related;
use super::{Branch, Tree};
use crate::live::any_change::AnyChange;
use crate::live::field::Field;
use crate::live::model::LiveModel;
use crate::live::row::Row;
use crate::live::sync::Found;
use crate::live::value::FieldValue;
use crate::{Change, ChangeKind, Evented, KeyValue};

/// Gives a tree the branches that it has after a change.
pub(crate) struct Syncer<'s> {
    change: &'s AnyChange,
    found: &'s mut Found,
    /// The type of the tree whose branches are asked for, and how often it has nested itself.
    node: (TypeId, u16),
}

/// The tree after a change; `None` if its record is deleted.
pub(crate) fn sync_tree<T: Tree>(old: &T, change: &AnyChange, found: &mut Found) -> Option<T> {
    Syncer { change, found, node: (TypeId::of::<T>(), 0) }.tree(old, 0)
}

/// The tree of a record that is new to the program.
pub(crate) fn new_tree<T: Tree>(record: &T::Model, change: &AnyChange, found: &mut Found) -> Option<T> {
    Syncer { change, found, node: (TypeId::of::<T>(), 0) }.seed(record, 0)
}

/// The key of the record at the root.
pub(crate) fn key_of<T: Tree>(tree: &T) -> KeyValue {
    T::Model::key_value(&tree.row().key())
}

/// The key of a changed record.
fn changed_key<M: LiveModel>(change: &Change<M>) -> Option<KeyValue> {
    change.key().map(M::key_value)
}

impl Syncer<'_> {
    fn tree<T: Tree>(&mut self, old: &T, level: u16) -> Option<T> {
        let mut row = old.row().clone();
        if let Some(change) = self.change.of::<T::Model>()
            && changed_key(change) == Some(key_of(old))
        {
            let after = change.after()?;
            if !row.same(after) {
                row = Row::new(after.copy());
            }
        }
        self.within::<T>(level, |syncer| T::grow(&row, Some(old), &mut Branches::sync(syncer)))
    }

    /// The tree of a record that comes in. Its branches are not known.
    fn seed<T: Tree>(&mut self, record: &T::Model, level: u16) -> Option<T> {
        let row = Row::new(record.copy());
        self.within::<T>(level, |syncer| T::grow(&row, None, &mut Branches::sync(syncer)))
    }

    fn within<T: Tree>(&mut self, level: u16, build: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let above = std::mem::replace(&mut self.node, (TypeId::of::<T>(), level));
        let built = build(self);
        self.node = above;
        built
    }

    /// How often the tree of a branch has nested itself; `None` if it may not any more.
    fn level<T: Tree>(&self, at: At) -> Option<u16> {
        if TypeId::of::<T>() != self.node.0 {
            return Some(0);
        }
        let level = self.node.1.saturating_add(1);
        at.depth.is_none_or(|depth| level <= depth).then_some(level)
    }

    /// The trees of a branch after the change, without those whose records are deleted; `None` if the branch is not known, or ends
    /// at its depth.
    fn items<B: Branch>(&mut self, at: At, old: Option<&B>) -> Option<(u16, Vec<B::Node>)> {
        let level = self.level::<B::Node>(at)?;
        let Some(old) = old else {
            self.found.miss();
            return None;
        };
        Some((level, old.nodes().iter().filter_map(|node| self.tree(node, level)).collect()))
    }

    pub(super) fn has_many<B: Branch, P: LiveModel, F: FieldValue<Value = P::Key>>(
        &mut self,
        at: At,
        parent: &Row<P>,
        field: Field<ModelOf<B>, F>,
        related: impl Fn(Related<ModelOf<B>>) -> Related<ModelOf<B>>,
        old: Option<&B>,
    ) -> B {
        let Some((level, mut items)) = self.items(at, old) else { return B::of(Vec::new()) };
        let (related, key) = (related(Related::new()).at_most(B::MOST), parent.key());
        let before = old.map_or(0, |old| old.nodes().len());
        let Some(change) = self.change.of::<ModelOf<B>>() else { return B::of(items) };
        let belongs = |child: &ModelOf<B>| field.get(child).value() == Some(&key) && related.has(child);
        let after = change.after().filter(|child| belongs(child));
        self.place(&mut items, level, change, after);
        let is_short = related.arrange(&mut items, before, changed_key(change));
        if is_short {
            self.found.miss();
        }
        B::of(items)
    }

    /// Puts the changed record among the trees of a branch, or takes it out. `after`: the record, if it belongs there.
    fn place<T: Tree>(
        &mut self,
        items: &mut Vec<T>,
        level: u16,
        change: &Change<T::Model>,
        after: Option<&T::Model>,
    ) {
        let key = changed_key(change);
        let at = items.iter().position(|item| Some(key_of(item)) == key);
        match (at, after) {
            (Some(at), None) => drop(items.remove(at)),
            (None, Some(after)) => items.extend(self.seed(after, level)),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    pub(super) fn belongs_to<B: Branch, C: LiveModel, F: FieldValue<Value = <ModelOf<B> as Evented>::Key>>(
        &mut self,
        at: At,
        child: &Row<C>,
        field: Field<C, F>,
        old: Option<&B>,
    ) -> B {
        let (Some(level), Some(key)) = (self.level::<B::Node>(at), field.get(child).value()) else {
            return B::of(Vec::new());
        };
        let key = ModelOf::<B>::key_value(key);
        let held = old.into_iter().flat_map(Branch::nodes).find(|node| key_of(*node) == key);
        if let Some(held) = held {
            return B::of(self.tree(held, level).into_iter().collect());
        }
        if let Some(change) = self.change.of::<ModelOf<B>>()
            && changed_key(change).as_ref() == Some(&key)
        {
            let parent = change.after().and_then(|after| self.seed(after, level));
            return B::of(parent.into_iter().collect());
        }
        let names_another = self.change.of::<C>().is_some_and(|change| {
            change.key() == Some(&child.key())
                && change.before().is_none_or(|before| {
                    field.get(before).value().map(ModelOf::<B>::key_value).as_ref() != Some(&key)
                })
        });
        if old.is_none() || names_another {
            self.found.miss();
        }
        B::of(Vec::new())
    }

    pub(super) fn many_to_many<B: Branch, L: LiveModel, P: LiveModel, F, G>(
        &mut self,
        at: At,
        parent: &Row<P>,
        own: Field<L, F>,
        far: Field<L, G>,
        related: impl Fn(Related<ModelOf<B>>) -> Related<ModelOf<B>>,
        old: Option<&B>,
    ) -> B
    where
        F: FieldValue<Value = P::Key>,
        G: FieldValue<Value = <ModelOf<B> as Evented>::Key>,
    {
        let Some((_, mut items)) = self.items(at, old) else { return B::of(Vec::new()) };
        let (related, key) = (related(Related::new()).at_most(B::MOST), parent.key());
        let before = old.map_or(0, |old| old.nodes().len());
        if let Some(change) = self.change.of::<L>() {
            let leads_to = |link: Option<&L>| {
                let link = link.filter(|link| own.get(link).value() == Some(&key))?;
                far.get(link).value().map(ModelOf::<B>::key_value)
            };
            let (from, to) = (leads_to(change.before()), leads_to(change.after()));
            if from != to {
                items.retain(|item| Some(key_of(item)) != from);
            }
            if to.is_some_and(|to| !items.iter().any(|item| key_of(item) == to)) {
                self.found.miss();
            }
        }
        if let Some(change) = self.change.of::<ModelOf<B>>() {
            let has = |record: &&ModelOf<B>| related.has(record);
            let (before_it, after) = (change.before().filter(has), change.after().filter(has));
            let is_held = items.iter().any(|item| Some(key_of(item)) == changed_key(change));
            match after {
                None => items.retain(|item| Some(key_of(item)) != changed_key(change)),
                Some(after) if !is_held => {
                    // It may be linked, and comes into the branch: the program holds no links. A new record has none yet.
                    let passes_now = before_it.is_none() && change.kind() != ChangeKind::Insert;
                    if passes_now || related.comes_in(&items, after) {
                        self.found.miss();
                    }
                }
                Some(_) => {}
            }
        }
        let changed = self.change.of::<ModelOf<B>>().and_then(changed_key);
        if related.arrange(&mut items, before, changed) {
            self.found.miss();
        }
        B::of(items)
    }

    pub(super) fn through<B: Branch, V: LiveModel, P: LiveModel, F, G>(
        &mut self,
        at: At,
        parent: &Row<P>,
        via: Field<V, F>,
        field: Field<ModelOf<B>, G>,
        related: impl Fn(Related<ModelOf<B>>) -> Related<ModelOf<B>>,
        old: Option<&B>,
    ) -> B
    where
        F: FieldValue<Value = P::Key>,
        G: FieldValue<Value = V::Key>,
    {
        let Some((_, mut items)) = self.items(at, old) else { return B::of(Vec::new()) };
        let (related, key) = (related(Related::new()).at_most(B::MOST), parent.key());
        let before = old.map_or(0, |old| old.nodes().len());
        if let Some(change) = self.change.of::<V>() {
            let belongs = |child: Option<&V>| child.is_some_and(|child| via.get(child).value() == Some(&key));
            if belongs(change.before()) != belongs(change.after()) {
                self.found.miss();
            }
        }
        if let Some(change) = self.change.of::<ModelOf<B>>() {
            let is_held = items.iter().any(|item| Some(key_of(item)) == changed_key(change));
            let of =
                |record: Option<&ModelOf<B>>| record.and_then(|record| field.get(record).value().cloned());
            let stays = of(change.before()) == of(change.after());
            if !change.after().is_some_and(|after| related.has(after)) || (is_held && !stays) {
                items.retain(|item| Some(key_of(item)) != changed_key(change));
            }
            // The program does not hold the records between.
            if change.after().is_some() && !(is_held && stays) {
                self.found.miss();
            }
        }
        let changed = self.change.of::<ModelOf<B>>().and_then(changed_key);
        if related.arrange(&mut items, before, changed) {
            self.found.miss();
        }
        B::of(items)
    }
}
