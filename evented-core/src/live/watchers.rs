//! Which changes the values of a type need: its models, and the columns by which their changes are found.

use std::any::TypeId;
use std::collections::{BTreeMap, HashSet, btree_map};
use std::fmt;

use super::field::Field;
use super::model::LiveModel;
use super::sync::SyncItem;
use super::trees::{Branch, ModelOf, Tree};
use crate::Evented;

/// What the values of some types need of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watcher {
    /// The model's name in the log.
    pub schema: &'static str,
    /// The columns besides the primary key by which a change finds its values, each once, in the order in which they were added:
    /// foreign keys, and the columns of [`Watchers::by`]. A change of one of them moves a record from one value to another.
    pub by: Vec<&'static str>,
}

/// What the values of some types need of each model: [`watchers`].
#[derive(Clone, Default)]
pub struct Watchers {
    all: BTreeMap<&'static str, Watcher>,
    trees: HashSet<TypeId>,
}

/// Lists what the values of a type need, a record, a [`Row`](super::Row) or a tree with all its associations: one [`Watcher`] for
/// each model.
///
/// A hub for these values reads each of the models. [`and`](Watchers::and) adds those of other types, and [`by`](Watchers::by) a
/// column of one's own.
///
/// ```ignore
/// let watchers = live::watchers::<PostTree>().and::<User>().by(Post::fields().org_id);
/// assert_eq!(watchers.get("comments").unwrap().by, ["post_id", "author_id"]);
/// ```
#[must_use]
pub fn watchers<T: SyncItem>() -> Watchers {
    Watchers::default().and::<T>()
}

impl Watchers {
    /// Adds what the values of another type need.
    #[must_use]
    pub fn and<T: SyncItem>(mut self) -> Self {
        T::relate(&mut self);
        self
    }

    /// Adds a column by which changes are found: that of a scope or of a filter.
    #[must_use]
    pub fn by<M: LiveModel, T>(mut self, field: Field<M, T>) -> Self {
        self.column(field);
        self
    }

    /// The watcher of a model, by its name in the log.
    #[must_use]
    pub fn get(&self, schema: &str) -> Option<&Watcher> {
        self.all.get(schema)
    }

    /// The watchers, in the order of the names of their models.
    pub fn iter(&self) -> btree_map::Values<'_, &'static str, Watcher> {
        self.all.values()
    }

    pub(super) fn model<M: LiveModel>(&mut self) -> &mut Watcher {
        let schema = <M as Evented>::SCHEMA;
        self.all.entry(schema).or_insert(Watcher { schema, by: Vec::new() })
    }

    fn column<M: LiveModel, T>(&mut self, field: Field<M, T>) {
        let watcher = self.model::<M>();
        if !watcher.by.contains(&field.column()) {
            watcher.by.push(field.column());
        }
    }

    pub(super) fn tree<T: Tree>(&mut self) {
        // A tree that contains itself is described once.
        if self.trees.insert(TypeId::of::<T>()) {
            self.model::<T::Model>();
            T::relate(&mut Relations(self));
        }
    }
}

impl<'w> IntoIterator for &'w Watchers {
    type Item = &'w Watcher;
    type IntoIter = btree_map::Values<'w, &'static str, Watcher>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Takes the associations of a tree. The derived code calls it.
#[doc(hidden)]
pub struct Relations<'w>(&'w mut Watchers);

impl fmt::Debug for Relations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Relations").field(&self.0).finish()
    }
}

impl Relations<'_> {
    /// Children, with their foreign key.
    pub fn has_many<B: Branch, F>(&mut self, field: Field<ModelOf<B>, F>) {
        self.0.column(field);
        self.0.tree::<B::Node>();
    }

    /// A parent, with the foreign key of the child.
    pub fn belongs_to<B: Branch, C: LiveModel, F>(&mut self, field: Field<C, F>) {
        self.0.column(field);
        self.0.tree::<B::Node>();
    }

    /// Links, with the foreign keys of both sides, and what they lead to.
    pub fn many_to_many<B: Branch, L: LiveModel, F, G>(&mut self, own: Field<L, F>, far: Field<L, G>) {
        self.0.column(own);
        self.0.column(far);
        self.0.tree::<B::Node>();
    }

    /// Children of children, with the foreign keys of both.
    pub fn through<B: Branch, V: LiveModel, F, G>(&mut self, via: Field<V, F>, field: Field<ModelOf<B>, G>) {
        self.0.column(via);
        self.0.column(field);
        self.0.tree::<B::Node>();
    }
}
