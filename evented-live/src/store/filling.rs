//! Reads what a change did not say, into values that a program holds.

use std::time::Duration;

use evented_core::live::{List, Single, Synced, Tree, TreeQuery};
use evented_core::{Evented as _, KeyValue, RecordRef};
use evented_diesel::TreeOn;

use super::Store;
use crate::error::LiveError;
use crate::live::Live;
use crate::reader::Reader;

/// A value of trees that a store fills: an `Option`, a `Vec` or a [`List`] of trees.
pub trait Fillable: sealed::Fillable {}
impl<V: sealed::Fillable> Fillable for V {}

mod sealed {
    use evented_core::KeyValue;
    use evented_core::live::Tree;

    pub trait Fillable {
        /// The trees.
        type Node: Tree;
        /// The keys of the records at the roots.
        fn roots(&self) -> Vec<KeyValue>;
        /// Replaces a tree; removes it, if there is none any more.
        fn replace(&mut self, root: &KeyValue, tree: Option<Self::Node>);
    }
}

fn root_of<T: Tree>(tree: &T) -> KeyValue {
    T::Model::key_value(&tree.row().key())
}

impl<T: Tree> sealed::Fillable for Vec<T> {
    type Node = T;
    fn roots(&self) -> Vec<KeyValue> {
        self.iter().map(root_of).collect()
    }
    fn replace(&mut self, root: &KeyValue, tree: Option<T>) {
        let Some(at) = self.iter().position(|tree| root_of(tree) == *root) else { return };
        match (tree, self.get_mut(at)) {
            (Some(tree), Some(place)) => *place = tree,
            _ => drop(self.remove(at)),
        }
    }
}

impl<T: Tree> sealed::Fillable for List<T> {
    type Node = T;
    fn roots(&self) -> Vec<KeyValue> {
        self.iter().map(root_of).collect()
    }
    fn replace(&mut self, root: &KeyValue, tree: Option<T>) {
        let mut trees = self.to_vec();
        trees.replace(root, tree);
        let keys = trees.iter().map(root_of).collect();
        *self = Self::new(trees, keys);
    }
}

impl<T: Tree> sealed::Fillable for Option<T> {
    type Node = T;
    fn roots(&self) -> Vec<KeyValue> {
        self.iter().map(root_of).collect()
    }
    fn replace(&mut self, _: &KeyValue, tree: Option<T>) {
        *self = tree;
    }
}

impl<E: Reader> Store<E> {
    /// Reads what is [missing](Synced::is_whole) in a value after a change was applied to it: each tree that misses something,
    /// as it is at a cut that has reached the change. `narrow` is applied to the query of a tree, for example
    /// `|one| one.allowed_by(viewer)`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`Live::reaches`]. The trees before the one that fails are filled.
    pub async fn fill<V>(
        &self,
        value: &mut V,
        synced: &Synced,
        narrow: impl Fn(TreeQuery<V::Node, Single>) -> TreeQuery<V::Node, Single>,
    ) -> Result<(), LiveError>
    where
        V: Fillable<Node: TreeOn<E::Db>>,
    {
        for (root, query) in missing(value, synced) {
            let live: Live<Option<V::Node>> = self.open(narrow(query)).await?;
            live.reaches(synced.position()).await?;
            value.replace(&root, live.get());
        }
        Ok(())
    }

    /// Reads what is missing like [`fill`](Self::fill), for blocking code, for at most `timeout` for each tree.
    ///
    /// # Errors
    ///
    /// [`LiveError::TimedOut`]; as [`fill`](Self::fill).
    pub fn fill_within<V>(
        &self,
        value: &mut V,
        synced: &Synced,
        timeout: Duration,
        narrow: impl Fn(TreeQuery<V::Node, Single>) -> TreeQuery<V::Node, Single>,
    ) -> Result<(), LiveError>
    where
        V: Fillable<Node: TreeOn<E::Db>>,
    {
        for (root, query) in missing(value, synced) {
            let live: Live<Option<V::Node>> = self.open(narrow(query)).wait(timeout)?;
            live.wait_for(synced.position(), timeout)?;
            value.replace(&root, live.get());
        }
        Ok(())
    }
}

/// The queries of the trees that miss something.
fn missing<V: Fillable>(value: &V, synced: &Synced) -> Vec<(KeyValue, TreeQuery<V::Node, Single>)> {
    let roots = value.roots().into_iter().filter(|root| synced.misses(root));
    let queries = roots.filter_map(|root| {
        let key = <V::Node as Tree>::Model::key_from(root.clone())?;
        Some((root, TreeQuery::all().one(RecordRef::by_key(key))))
    });
    queries.collect()
}
