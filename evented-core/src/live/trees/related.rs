//! Which of the associated records a branch has, and in which order.

use std::cmp::Ordering;

use super::Tree;
use super::syncer::key_of;
use crate::KeyValue;
use crate::live::filter::Filter;
use crate::live::list::List;
use crate::live::model::LiveModel;
use crate::live::order::IntoOrder;
use crate::live::plan::{Plan, Target};
use crate::live::window::Held;

/// The records of a branch: those of the association that a filter holds for, in an order, with or without a limit.
#[must_use]
pub struct Related<M: LiveModel> {
    plan: Plan<M>,
}

impl<M: LiveModel> Related<M> {
    pub(super) fn new() -> Self {
        Self { plan: Plan::new(Target::Filtered) }
    }

    /// Narrows the branch to the records for which a condition is true.
    pub fn filter(mut self, filter: impl FnOnce(M::LiveFields) -> Filter<M>) -> Self {
        self.plan.narrow(filter(M::fields()));
        self
    }

    /// Orders the branch by a field, or by a tuple of up to four. Default: by the keys.
    pub fn order<O: IntoOrder<M>>(mut self, order: impl FnOnce(M::LiveFields) -> O) -> Self {
        self.plan.order = order(M::fields()).into_terms();
        self
    }

    /// Limits the branch to its first records.
    pub fn limit(mut self, limit: usize) -> Self {
        self.plan.limit = Some(limit);
        self
    }

    /// The most that a holder has room for.
    pub(super) fn at_most(mut self, most: Option<usize>) -> Self {
        self.plan.limit = match (self.plan.limit, most) {
            (Some(limit), Some(most)) => Some(limit.min(most)),
            (limit, most) => limit.or(most),
        };
        self
    }

    pub(super) fn into_plan(self) -> Plan<M> {
        self.plan
    }

    /// The filter alone, for records that come from more than one list.
    pub(super) fn filter_alone(&self) -> Filter<M> {
        self.plan.filter.clone()
    }

    /// Whether the filter holds for a record.
    pub(super) fn has(&self, record: &M) -> bool {
        self.plan.filter.has(record)
    }

    /// Whether the branch may lack records of the association, because of a filter or a limit.
    pub(super) fn is_narrowed(&self) -> bool {
        self.plan.limit.is_some() || !self.plan.filter.is_all()
    }

    /// Whether a record belongs before the last tree of a branch that is full.
    pub(super) fn comes_in<T: Tree<Model = M>>(&self, items: &[T], record: &M) -> bool {
        let is_full = self.plan.limit.is_some_and(|limit| items.len() >= limit);
        is_full
            && items.last().is_none_or(|last| {
                let key = M::key_value(&record.key());
                self.plan.compare((record, &key), (last.row(), &key_of(last))) == Ordering::Less
            })
    }

    /// Puts trees into the order of the branch, up to its limit. `before`: how many there were before a change of this record.
    /// Returns whether the branch may have others now: a window that has lost a record, or of which one may have moved behind what
    /// is not held.
    pub(super) fn arrange<T: Tree<Model = M>>(
        &self,
        items: &mut Vec<T>,
        before: usize,
        changed: Option<KeyValue>,
    ) -> bool {
        let place = |item: &T| (item.row().clone(), key_of(item));
        items.sort_by(|one, other| {
            let ((one, one_key), (other, other_key)) = (place(one), place(other));
            self.plan.compare((&one, &one_key), (&other, &other_key))
        });
        items.truncate(self.plan.limit.unwrap_or(usize::MAX));
        let is_window = self.plan.limit.is_some_and(|limit| before >= limit);
        is_window && (items.len() < before || items.last().map(key_of) == changed)
    }

    fn compare(&self, one: &Held<M>, other: &Held<M>) -> Ordering {
        self.plan.compare((&one.row, &one.key), (&other.row, &other.key))
    }

    /// Puts what came from several lists into one: each record once, in the order of the branch, up to its limit.
    pub(super) fn collect<T>(&self, mut found: Vec<(Held<M>, T)>) -> List<T> {
        found.sort_by(|(one, _), (other, _)| self.compare(one, other));
        found.dedup_by(|(one, _), (other, _)| one.key == other.key);
        found.truncate(self.plan.limit.unwrap_or(usize::MAX));
        let (rows, items): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        List::new(items, rows.into_iter().map(|held| held.key).collect())
    }
}

impl<M: LiveModel> std::fmt::Debug for Related<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Related({:?})", self.plan)
    }
}
