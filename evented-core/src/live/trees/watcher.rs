//! Finds which changes concern a tree that a program holds.

use super::branches::{Branches, ModelOf};
use super::related::Related;
use super::{Branch, Tree};
use crate::Evented;
use crate::live::field::Field;
use crate::live::interests::Interests;
use crate::live::model::LiveModel;
use crate::live::row::Row;
use crate::live::value::FieldValue;

/// Adds what concerns the branches of a tree.
pub(super) struct Watcher<'i> {
    interests: &'i mut Interests,
}

/// Adds the changes that concern a tree.
pub(in crate::live) fn watch_tree<T: Tree>(tree: &T, interests: &mut Interests) {
    interests.record::<T::Model>(super::key_of(tree));
    let mut watcher = Watcher { interests };
    drop(T::grow(tree.row(), Some(tree), &mut Branches::watch(&mut watcher)));
}

impl Watcher<'_> {
    fn nodes<B: Branch>(&mut self, old: Option<&B>) -> B {
        let nodes = old.map(Branch::nodes).unwrap_or_default();
        nodes.iter().for_each(|node| watch_tree(node, self.interests));
        B::of(nodes.to_vec())
    }

    pub(super) fn has_many<B: Branch, P: LiveModel, F: FieldValue<Value = P::Key>>(
        &mut self,
        parent: &Row<P>,
        field: Field<ModelOf<B>, F>,
        old: Option<&B>,
    ) -> B {
        self.interests.children(field, parent.key());
        self.nodes(old)
    }

    pub(super) fn belongs_to<B: Branch, C: LiveModel, F: FieldValue<Value = <ModelOf<B> as Evented>::Key>>(
        &mut self,
        child: &Row<C>,
        field: Field<C, F>,
        old: Option<&B>,
    ) -> B {
        // Also if it is not there yet.
        if let Some(key) = field.get(child).value() {
            self.interests.record::<ModelOf<B>>(ModelOf::<B>::key_value(key));
        }
        self.nodes(old)
    }

    pub(super) fn has_links<B: Branch, L: LiveModel, P: LiveModel, F: FieldValue<Value = P::Key>>(
        &mut self,
        parent: &Row<P>,
        own: Field<L, F>,
        related: Related<ModelOf<B>>,
        old: Option<&B>,
    ) -> B {
        self.interests.children(own, parent.key());
        if related.at_most(B::MOST).is_narrowed() || self.interests.is_restricted() {
            // What is linked and not in the branch may come in. The program does not hold the links.
            self.interests.all::<ModelOf<B>>();
        }
        self.nodes(old)
    }

    pub(super) fn through<B: Branch, V: LiveModel, P: LiveModel, F: FieldValue<Value = P::Key>>(
        &mut self,
        parent: &Row<P>,
        via: Field<V, F>,
        old: Option<&B>,
    ) -> B {
        self.interests.children(via, parent.key());
        // The program does not hold the records between, to which they belong.
        self.interests.all::<ModelOf<B>>();
        self.nodes(old)
    }
}
