//! What the derived code of a tree asks for its branches.

use super::grower::Grower;
use super::related::Related;
use super::syncer::Syncer;
use super::watcher::Watcher;
use super::{Branch, Tree};
use crate::Evented;
use crate::live::field::Field;
use crate::live::model::LiveModel;
use crate::live::row::Row;
use crate::live::value::FieldValue;

/// Gives a tree its branches: from the lists of a store, or from what they were before a change; or finds what
/// concerns them. The derived code calls it.
#[doc(hidden)]
pub struct Branches<'b, 'g>(Mode<'b, 'g>);

enum Mode<'b, 'g> {
    Grow(&'b mut Grower<'g>),
    Sync(&'b mut Syncer<'g>),
    Watch(&'b mut Watcher<'g>),
}

/// A branch of a tree: its number, and how often the tree may nest itself in it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The number.
    pub branch: u16,
    /// How often the tree may nest itself.
    pub depth: Option<u16>,
}

/// The model of the records in a branch.
pub(in crate::live) type ModelOf<B> = <<B as Branch>::Node as Tree>::Model;

impl std::fmt::Debug for Branches<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Branches").finish_non_exhaustive()
    }
}

impl<'b, 'g> Branches<'b, 'g> {
    pub(super) fn grow(grower: &'b mut Grower<'g>) -> Self {
        Self(Mode::Grow(grower))
    }

    pub(super) fn sync(syncer: &'b mut Syncer<'g>) -> Self {
        Self(Mode::Sync(syncer))
    }

    pub(super) fn watch(watcher: &'b mut Watcher<'g>) -> Self {
        Self(Mode::Watch(watcher))
    }

    /// The children: the records whose foreign key, `field`, has the key of the parent.
    pub fn has_many<B: Branch, P: LiveModel, F: FieldValue<Value = P::Key>>(
        &mut self,
        at: At,
        parent: &Row<P>,
        field: Field<ModelOf<B>, F>,
        related: impl Fn(Related<ModelOf<B>>) -> Related<ModelOf<B>>,
        old: Option<&B>,
    ) -> Option<B> {
        match &mut self.0 {
            Mode::Grow(grower) => grower.has_many(at, parent, field, related),
            Mode::Sync(syncer) => Some(syncer.has_many(at, parent, field, related, old)),
            Mode::Watch(watcher) => Some(watcher.has_many(parent, field, old)),
        }
    }

    /// The parent: the record whose key a foreign key of the child, `field`, has.
    pub fn belongs_to<B: Branch, C: LiveModel, F: FieldValue<Value = <ModelOf<B> as Evented>::Key>>(
        &mut self,
        at: At,
        child: &Row<C>,
        field: Field<C, F>,
        old: Option<&B>,
    ) -> Option<B> {
        match &mut self.0 {
            Mode::Grow(grower) => grower.belongs_to(at, child, field),
            Mode::Sync(syncer) => Some(syncer.belongs_to(at, child, field, old)),
            Mode::Watch(watcher) => Some(watcher.belongs_to(child, field, old)),
        }
    }

    /// The records that links of the model `L` lead to: those links whose `own` field has the key of the parent, by their
    /// `far` field.
    pub fn many_to_many<B: Branch, L: LiveModel, P: LiveModel, F, G>(
        &mut self,
        at: At,
        parent: &Row<P>,
        own: Field<L, F>,
        far: Field<L, G>,
        related: impl Fn(Related<ModelOf<B>>) -> Related<ModelOf<B>>,
        old: Option<&B>,
    ) -> Option<B>
    where
        F: FieldValue<Value = P::Key>,
        G: FieldValue<Value = <ModelOf<B> as Evented>::Key>,
    {
        match &mut self.0 {
            Mode::Grow(grower) => grower.many_to_many::<B, L, P, F, G>(at, parent, own, far, related),
            Mode::Sync(syncer) => Some(syncer.many_to_many(at, parent, own, far, related, old)),
            Mode::Watch(watcher) => Some(watcher.has_links(parent, own, related(Related::new()), old)),
        }
    }

    /// The children of the children: the records whose `field` has the key of a record of the model `V`, whose `via` field has
    /// the key of the parent.
    pub fn through<B: Branch, V: LiveModel, P: LiveModel, F, G>(
        &mut self,
        at: At,
        parent: &Row<P>,
        via: Field<V, F>,
        field: Field<ModelOf<B>, G>,
        related: impl Fn(Related<ModelOf<B>>) -> Related<ModelOf<B>>,
        old: Option<&B>,
    ) -> Option<B>
    where
        F: FieldValue<Value = P::Key>,
        G: FieldValue<Value = V::Key>,
    {
        match &mut self.0 {
            Mode::Grow(grower) => grower.through::<B, V, P, F, G>(at, parent, via, field, related),
            Mode::Sync(syncer) => Some(syncer.through(at, parent, via, field, related, old)),
            Mode::Watch(watcher) => Some(watcher.through(parent, via, old)),
        }
    }
}
