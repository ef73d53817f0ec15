//! Applies changes to values that a program holds: records, options, lists and trees.

use std::collections::HashSet;

use super::any_change::AnyChange;
use super::interests::Interests;
use super::list::List;
use super::model::LiveModel;
use super::plan::{Plan, Target};
use super::query::{Many, One, Query};
use super::row::Row;
use super::trees::{Tree, TreeQuery, key_of, new_tree, sync_tree, watch_tree};
use super::watchers::Watchers;
use crate::{Evented as _, KeyValue, Position};

/// What a change did to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    Unchanged,
    /// The value changed.
    Changed,
    /// The record of the value is deleted. The value is as it was: it has no form without a record.
    Gone,
}

/// The result of [`sync`].
#[derive(Debug, Clone, PartialEq)]
pub struct Synced {
    outcome: Outcome,
    /// The keys of the records at the roots below which something has to be read.
    missing: HashSet<KeyValue>,
    position: Position,
}

impl Synced {
    /// What the change did.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the value changed.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.outcome == Outcome::Changed
    }

    /// Whether the value is whole: nothing has to be read that the change does not say, such as the author of a new comment.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether something has to be read below the record with this key.
    #[doc(hidden)]
    #[must_use]
    pub fn misses(&self, root: &KeyValue) -> bool {
        self.missing.contains(root)
    }

    /// The position of the change.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}

/// What was found to be missing.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Found {
    /// The key of the record at the root of the tree that the change is applied to.
    root: Option<KeyValue>,
    missing: HashSet<KeyValue>,
}

impl Found {
    /// Whether something is missing.
    #[must_use]
    pub fn misses(&self) -> bool {
        !self.missing.is_empty()
    }

    pub(super) fn miss(&mut self) {
        self.missing.extend(self.root.clone());
    }

    fn at<T>(&mut self, root: KeyValue, apply: impl FnOnce(&mut Self) -> T) -> T {
        self.root = Some(root);
        apply(self)
    }
}

/// What lists and options hold: a record, a [`Row`], or a tree.
#[diagnostic::on_unimplemented(
    message = "changes cannot be applied to `{Self}`",
    note = "a record needs `#[evented(live)]`, a tree `#[derive(Tree)]`"
)]
pub trait SyncItem: Sized {
    /// The model of the record.
    type Model: LiveModel;
    /// The key of the record.
    #[doc(hidden)]
    fn item_key(&self) -> KeyValue;
    /// The record.
    #[doc(hidden)]
    fn record(&self) -> &Self::Model;
    /// The item after a change; `None` if its record is deleted. Returns whether it changed, too.
    #[doc(hidden)]
    fn synced(&self, change: &AnyChange, found: &mut Found) -> Option<(Self, bool)>;
    /// Adds the changes that concern the item.
    #[doc(hidden)]
    fn watch(&self, interests: &mut Interests);
    /// The item of a record that comes in.
    #[doc(hidden)]
    fn of_record(record: &Self::Model, change: &AnyChange, found: &mut Found) -> Option<Self>;
    /// Adds what values of the type need.
    #[doc(hidden)]
    fn relate(watchers: &mut Watchers) {
        watchers.model::<Self::Model>();
    }
}

impl<T: Tree> SyncItem for T {
    type Model = T::Model;
    fn item_key(&self) -> KeyValue {
        key_of(self)
    }
    fn record(&self) -> &T::Model {
        self.row()
    }
    fn synced(&self, change: &AnyChange, found: &mut Found) -> Option<(Self, bool)> {
        let synced = sync_tree(self, change, found)?;
        let changed = synced != *self;
        Some((synced, changed))
    }
    fn of_record(record: &T::Model, change: &AnyChange, found: &mut Found) -> Option<Self> {
        new_tree(record, change, found)
    }
    fn watch(&self, interests: &mut Interests) {
        watch_tree(self, interests);
    }
    fn relate(watchers: &mut Watchers) {
        watchers.tree::<T>();
    }
}

/// The record after a change. The derive calls it.
#[doc(hidden)]
pub fn sync_record<M: LiveModel>(record: &M, change: &AnyChange) -> Option<(M, bool)> {
    let of_it = change.of::<M>().filter(|change| change.key() == Some(&record.key()));
    match of_it {
        Some(change) => change.after().map(|after| (after.copy(), !record.same(after))),
        None => Some((record.copy(), false)),
    }
}

/// Adds the changes of a record. The derive calls it.
#[doc(hidden)]
pub fn watch_record<M: LiveModel>(record: &M, interests: &mut Interests) {
    interests.record::<M>(M::key_value(&record.key()));
}

/// A value of items: one, or an `Option`, a `Vec` or a [`List`] of them.
pub trait Items {
    /// The items.
    type Item: SyncItem;
    /// The items that there are.
    #[doc(hidden)]
    fn items(&self) -> Vec<&Self::Item>;
}

impl<T: SyncItem> Items for T {
    type Item = T;
    fn items(&self) -> Vec<&T> {
        vec![self]
    }
}
impl<T: SyncItem> Items for Option<T> {
    type Item = T;
    fn items(&self) -> Vec<&T> {
        self.iter().collect()
    }
}
impl<T: SyncItem> Items for Vec<T> {
    type Item = T;
    fn items(&self) -> Vec<&T> {
        self.iter().collect()
    }
}
impl<T: SyncItem> Items for List<T> {
    type Item = T;
    fn items(&self) -> Vec<&T> {
        self.iter().collect()
    }
}

/// A value that changes can be applied to: a record, a [`Row`], a tree, or a `Vec`, [`List`] or `Option` of these.
pub trait Syncable {
    /// Applies a change.
    #[doc(hidden)]
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Outcome;
}

impl<T: SyncItem> Syncable for T {
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Outcome {
        match found.at(self.item_key(), |found| self.synced(change, found)) {
            None => Outcome::Gone,
            Some((_, false)) => Outcome::Unchanged,
            Some((synced, true)) => {
                *self = synced;
                Outcome::Changed
            }
        }
    }
}

impl<T: SyncItem> Syncable for Option<T> {
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Outcome {
        match self.as_mut().map(|item| item.apply(change, found)) {
            None => Outcome::Unchanged,
            Some(Outcome::Gone) => {
                *self = None;
                Outcome::Changed
            }
            Some(outcome) => outcome,
        }
    }
}

/// Applies a change to the items of a list. Returns whether the list changed.
fn apply_to_items<T: SyncItem>(items: &mut Vec<T>, change: &AnyChange, found: &mut Found) -> bool {
    let mut is_changed = false;
    items.retain_mut(|item| match item.apply(change, found) {
        Outcome::Gone => {
            is_changed = true;
            false
        }
        outcome => {
            is_changed |= outcome == Outcome::Changed;
            true
        }
    });
    is_changed
}

impl<T: SyncItem> Syncable for Vec<T> {
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Outcome {
        let mut is_changed = apply_to_items(self, change, found);
        if let Some(change_of) = change.of::<T::Model>()
            && let (Some(key), Some(after)) = (change_of.key().map(T::Model::key_value), change_of.after())
            && !self.iter().any(|item| item.item_key() == key)
        {
            let item = found.at(key, |found| T::of_record(after, change, found));
            is_changed |= item.is_some();
            self.extend(item);
        }
        if is_changed { Outcome::Changed } else { Outcome::Unchanged }
    }
}

impl<T: SyncItem + Clone> Syncable for List<T> {
    fn apply(&mut self, change: &AnyChange, found: &mut Found) -> Outcome {
        let mut items = self.to_vec();
        let outcome = items.apply(change, found);
        if outcome == Outcome::Changed {
            *self = list_of(items);
        }
        outcome
    }
}

impl<T: SyncItem> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        list_of(items)
    }
}

fn list_of<T: SyncItem>(items: Vec<T>) -> List<T> {
    let keys = items.iter().map(SyncItem::item_key).collect();
    List::new(items, keys)
}

/// Applies a change to a value that the program holds, and returns what it did.
///
/// It reads nothing, and knows no query: a list gains each record of its model that it lacks, at its end; a list of a query is
/// kept by [`Query::sync`].
///
/// - A record is replaced wherever in the value it is.
/// - A deleted record leaves lists; an option becomes `None`; of a record alone the result says [`Outcome::Gone`].
/// - In trees, a child enters, leaves and moves by its foreign key, in the order and up to the limit of its branch; a deleted
///   parent leaves `None`; a link that goes parts. What the change does not say, such as the parent that a foreign key newly
///   names, [is missing](Synced::is_whole) until the value is filled.
pub fn sync<V: Syncable>(value: &mut V, change: &AnyChange) -> Synced {
    let mut found = Found::default();
    let outcome = value.apply(change, &mut found);
    Synced { outcome, missing: found.missing, position: change.position() }
}

/// Applies a change to the items of a query.
fn sync_plan<T: SyncItem>(plan: &Plan<T::Model>, items: &mut Vec<T>, change: &AnyChange) -> Synced {
    let mut found = Found::default();
    let before = items.len();
    let mut is_changed = apply_to_items(items, change, &mut found);
    if let Some(change_of) = change.of::<T::Model>()
        && let Some(key) = change_of.key().map(T::Model::key_value)
    {
        let at = items.iter().position(|item| item.item_key() == key);
        match (at, change_of.after().filter(|after| plan.has(&key, after))) {
            (Some(at), None) => {
                items.remove(at);
                is_changed = true;
            }
            (None, Some(after)) => {
                items.extend(found.at(key.clone(), |found| T::of_record(after, change, found)));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        items.sort_by(|one, other| {
            plan.compare((one.record(), &one.item_key()), (other.record(), &other.item_key()))
        });
        items.truncate(plan.limit.unwrap_or(usize::MAX));
        let holds = |key: &KeyValue| items.iter().any(|item| item.item_key() == *key);
        is_changed |= at.is_some() != holds(&key);
        let is_window = plan.limit.is_some_and(|limit| before >= limit);
        let is_last = items.last().is_some_and(|last| last.item_key() == key);
        if is_window && (items.len() < before || (is_last && at.is_some())) {
            // The program does not hold the record that may come next.
            found.missing.insert(key);
        }
    }
    let outcome = if is_changed { Outcome::Changed } else { Outcome::Unchanged };
    Synced { outcome, missing: found.missing, position: change.position() }
}

fn sync_list<T: SyncItem + Clone>(plan: &Plan<T::Model>, list: &mut List<T>, change: &AnyChange) -> Synced {
    let mut items = list.to_vec();
    let synced = sync_plan(plan, &mut items, change);
    if synced.has_changed() {
        *list = list_of(items);
    }
    synced
}

fn sync_option<T: SyncItem>(plan: &Plan<T::Model>, option: &mut Option<T>, change: &AnyChange) -> Synced {
    debug_assert!(matches!(plan.target, Target::Keys(_)), "of one record");
    let mut items: Vec<T> = option.take().into_iter().collect();
    let synced = sync_plan(plan, &mut items, change);
    *option = items.pop();
    synced
}

/// `sync` of the queries.
macro_rules! sync_method {
    ($($query:ty, $value:ty, $apply:ident, [$($generics:tt)*];)*) => {$(
        impl<$($generics)*> $query {
            /// Applies a change to the answer of this query that a program holds: its filter, order and limit are known. A
            /// list with a limit that has lost a record is not [whole](Synced::is_whole): open the query for it.
            pub fn sync(&self, value: &mut $value, change: &AnyChange) -> Synced {
                $apply(self.plan(), value, change)
            }
        }
    )*};
}
sync_method! {
    Query<M>, List<Row<M>>, sync_list, [M: LiveModel];
    Many<M>, List<Row<M>>, sync_list, [M: LiveModel];
    One<M>, Option<Row<M>>, sync_option, [M: LiveModel];
    TreeQuery<T>, List<T>, sync_list, [T: Tree];
    TreeQuery<T, super::trees::Keyed>, List<T>, sync_list, [T: Tree];
    TreeQuery<T, super::trees::Single>, Option<T>, sync_option, [T: Tree];
}
