//! Trees of associations: a record with its children, its parents, and what it is linked to.
//!
//! The lists of a tree are queries like any other: the children of one parent, the record with one key. [`TreeState`] has the
//! [`Queries`](super::Queries) of one tree, and follows the changes on its own: where something is not known yet at a cut, it
//! stays at that cut until that was read, while the other values of a store go on.

mod branches;
mod graph;
mod grower;
mod lists;
mod policies;
mod related;
mod state;
mod syncer;
mod tree_query;
mod watcher;

use std::sync::Arc;

use super::field::Field;
use super::list::List;
use super::model::LiveModel;
use super::row::Row;
use super::watchers::Relations;

pub(super) use branches::ModelOf;
pub use branches::{At, Branches};
pub use graph::Change;
pub use policies::{AllowedBy, Policies};
pub use related::Related;
pub use state::{Grown, TooDeep, TreeState};
pub(super) use syncer::{key_of, new_tree, sync_tree};
pub use tree_query::{All, Keyed, Single, TreeParts, TreeQuery, Valued};
pub(super) use watcher::watch_tree;

/// How deep a tree may be.
pub const MOST_LEVELS: usize = 64;

/// A record with its associations: `#[derive(Tree)]` implements it. A [`Row`] alone is a tree, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tree of records",
    note = "use `Row<Model>` for a record alone, or a struct with `#[derive(Tree)]`"
)]
pub trait Tree: Clone + PartialEq + Unpin + Send + Sync + 'static {
    /// The model of the record at the root.
    type Model: LiveModel;

    /// Whether it is a record alone.
    #[doc(hidden)]
    const IS_ROW: bool = false;

    /// Builds the tree of a record; `None` if something of it is not known yet. `old` is the tree before a change.
    #[doc(hidden)]
    fn grow(row: &Row<Self::Model>, old: Option<&Self>, branches: &mut Branches<'_, '_>) -> Option<Self>;

    /// Says which associations it has.
    #[doc(hidden)]
    fn relate(relations: &mut Relations<'_>);

    /// The record at the root.
    fn row(&self) -> &Row<Self::Model>;
}

impl<M: LiveModel> Tree for Row<M> {
    type Model = M;
    const IS_ROW: bool = true;
    fn grow(row: &Self, _: Option<&Self>, _: &mut Branches<'_, '_>) -> Option<Self> {
        Some(row.clone())
    }
    fn relate(_: &mut Relations<'_>) {}
    fn row(&self) -> &Self {
        self
    }
}

/// A model that belongs to `P` by a foreign key. `#[evented(live)]` implements it for each `#[diesel(belongs_to(P))]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not belong to `{P}`",
    note = "write `#[diesel(belongs_to({P}))]` on `{Self}`, which needs `#[evented(live)]`, or name the foreign key: `by = \
            field`"
)]
pub trait ForeignKey<P>: LiveModel {
    /// The type of the foreign key.
    type Value;

    /// Returns the foreign key.
    fn foreign_key() -> Field<Self, Self::Value>;
}

/// What holds the trees of an association: a [`List`], or an `Option` for one at most.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold an association",
    note = "write `List<…>` for many, or `Option<…>` for one at most, of `Row<Model>` or of a tree"
)]
pub trait Branch: Sized {
    /// The trees.
    type Node: Tree;
    /// How many there are at most.
    #[doc(hidden)]
    const MOST: Option<usize>;
    #[doc(hidden)]
    fn of(nodes: Vec<Self::Node>) -> Self {
        let keys = nodes.iter().map(key_of).collect();
        Self::of_list(List::new(nodes, keys))
    }
    #[doc(hidden)]
    fn of_list(list: List<Self::Node>) -> Self;
    /// The trees that it holds.
    #[doc(hidden)]
    fn nodes(&self) -> &[Self::Node];
}

impl<T: Tree> Branch for List<T> {
    type Node = T;
    const MOST: Option<usize> = None;
    fn of_list(list: Self) -> Self {
        list
    }
    fn nodes(&self) -> &[T] {
        self
    }
}

/// For a tree that contains itself: `Option<Arc<Self>>`.
impl<T: Tree> Branch for Option<Arc<T>> {
    type Node = T;
    const MOST: Option<usize> = Some(1);
    fn of_list(list: List<T>) -> Self {
        list.first().cloned().map(Arc::new)
    }
    fn nodes(&self) -> &[T] {
        self.as_deref().map(std::slice::from_ref).unwrap_or_default()
    }
}

impl<T: Tree> Branch for Option<T> {
    type Node = T;
    const MOST: Option<usize> = Some(1);
    fn of_list(list: List<T>) -> Self {
        list.first().cloned()
    }
    fn nodes(&self) -> &[T] {
        self.as_slice()
    }
}
