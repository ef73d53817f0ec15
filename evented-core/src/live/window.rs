//! The rows of one query at a moment, kept up change by change.

use std::collections::HashMap;
use std::sync::Arc;

use super::model::LiveModel;
use super::plan::{Plan, Target};
use super::row::Row;
use crate::{KeyValue, RecordState};

/// A window keeps this many rows beyond its limit at least.
pub const SPARE: usize = 16;
/// How many times as many rows as usual a window reads at most.
const MOST_GROWTH: usize = 64;

/// A row that a query holds.
#[doc(hidden)]
pub struct Held<M> {
    /// The row.
    pub row: Row<M>,
    /// Its key.
    pub key: KeyValue,
}

impl<M: LiveModel> std::fmt::Debug for Fill<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fill({})", self.rows.len())
    }
}

impl<M> std::fmt::Debug for Held<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({})", self.key)
    }
}

impl<M> Clone for Held<M> {
    fn clone(&self) -> Self {
        Self { row: self.row.clone(), key: self.key.clone() }
    }
}

/// The rows of a query, in its order.
///
/// A query with a limit keeps twice as many rows, and a bound: it knows every row up to the bound. What sorts behind the
/// bound is ignored, until the window is shorter than the limit and is read again.
pub(super) struct Window<M: LiveModel> {
    plan: Arc<Plan<M>>,
    rows: Vec<Held<M>>,
    by_key: HashMap<KeyValue, Row<M>>,
    /// The last row up to which every row is known; `None` if all rows are.
    bound: Option<Held<M>>,
    /// How many times as many rows as usual are kept: twice as many with each read that was too short.
    growth: usize,
    /// The row that had no room after the last change.
    evicted: Option<KeyValue>,
    /// How many rows beyond the limit are kept at least.
    spare: usize,
}

/// What was read for a window.
#[doc(hidden)]
pub struct Fill<M> {
    /// The rows, in the order of the query.
    pub rows: Vec<Row<M>>,
    /// Whether there are no more.
    pub complete: bool,
}

impl<M: LiveModel> Window<M> {
    pub(super) fn new(plan: Arc<Plan<M>>, spare: usize) -> Self {
        Self { plan, rows: Vec::new(), by_key: HashMap::new(), bound: None, growth: 1, evicted: None, spare }
    }

    pub(super) fn plan(&self) -> &Arc<Plan<M>> {
        &self.plan
    }

    /// How many rows are kept at most; `None` without a limit.
    pub(super) fn capacity(&self) -> Option<usize> {
        let limit = self.plan.limit?;
        Some(
            limit.max(
                limit.saturating_mul(2).max(limit.saturating_add(self.spare)).saturating_mul(self.growth),
            ),
        )
    }

    /// The rows of the query.
    pub(super) fn shown(&self) -> &[Held<M>] {
        let shown = self.plan.limit.unwrap_or(usize::MAX).min(self.rows.len());
        self.rows.get(..shown).unwrap_or_default()
    }

    /// The number of rows that are kept.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The keys of the rows that are kept.
    pub(super) fn keys(&self) -> impl Iterator<Item = &KeyValue> {
        self.by_key.keys()
    }

    /// The row with this key, if it is kept.
    pub(super) fn row(&self, key: &KeyValue) -> Option<&Row<M>> {
        self.by_key.get(key)
    }

    /// Takes the key of the row that had no room after the last change.
    pub(super) fn take_evicted(&mut self) -> Option<KeyValue> {
        self.evicted.take()
    }

    /// Whether rows of the query are missing.
    pub(super) fn is_short(&self) -> bool {
        self.bound.is_some() && self.plan.limit.is_some_and(|limit| self.rows.len() < limit)
    }

    /// Makes the next read of a window that is short again longer than the one before.
    pub(super) fn grow(&mut self) {
        self.growth = (self.growth * 2).min(MOST_GROWTH);
    }

    /// Lets a window that stands return to its usual size.
    pub(super) fn shrink(&mut self) {
        if self.growth > 1 && !self.is_short() {
            self.growth /= 2;
        }
    }

    fn place(&self, row: &Row<M>, key: &KeyValue) -> Result<usize, usize> {
        self.rows.binary_search_by(|held| self.plan.compare((&held.row, &held.key), (row, key)))
    }

    /// Takes a record as it is after a change; `None` if it is gone. Returns whether a shown row changed.
    pub(super) fn apply(&mut self, key: &KeyValue, after: Option<&Arc<RecordState<M>>>) -> bool {
        let limit = self.plan.limit.unwrap_or(usize::MAX);
        let mut changed = false;
        if let Some(old) = self.by_key.remove(key)
            && let Ok(place) = self.place(&old, key)
        {
            self.rows.remove(place);
            changed = place < limit;
        }
        if let Some(after) = after
            && self.plan.has(key, after.record())
        {
            let held = Held { row: Row::of(after), key: key.clone() };
            changed |= self.put(held).is_some_and(|place| place < limit);
        }
        changed
    }

    /// Puts a row in its place, unless it sorts behind the bound.
    fn put(&mut self, held: Held<M>) -> Option<usize> {
        if let Some(bound) = &self.bound
            && self.plan.compare((&held.row, &held.key), (&bound.row, &bound.key)).is_gt()
        {
            return None;
        }
        let place = self.place(&held.row, &held.key).unwrap_or_else(|place| place);
        self.by_key.insert(held.key.clone(), held.row.clone());
        self.rows.insert(place, held);
        if self.capacity().is_some_and(|capacity| self.rows.len() > capacity)
            && let Some(last) = self.rows.pop()
        {
            self.by_key.remove(&last.key);
            self.bound = self.rows.last().cloned();
            self.evicted = Some(last.key);
        }
        Some(place)
    }

    /// Empties the window: the table is empty.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.by_key.clear();
        self.bound = None;
    }

    /// Replaces all rows by what was read. A row that is as before stays the same row. Returns the key of a row for which
    /// memory and the database disagree.
    pub(super) fn fill(&mut self, fill: Fill<M>) -> Result<(), KeyValue> {
        let before = std::mem::take(&mut self.by_key);
        self.rows.clear();
        let complete = fill.complete;
        let mut last = None;
        for row in fill.rows {
            let key = M::key_value(&row.key());
            let row = match before.get(&key) {
                Some(old) if *old == row => old.clone(),
                _ => row,
            };
            let held = Held { row, key };
            let in_order = last.as_ref().is_none_or(|last: &Held<M>| {
                self.plan.compare((&last.row, &last.key), (&held.row, &held.key)).is_lt()
            });
            // Rows by their keys are read without the filter, and in no order.
            let is_filtered = matches!(self.plan.target, Target::Filtered);
            if is_filtered && !(in_order && self.plan.filter.has(&held.row)) {
                return Err(held.key);
            }
            last = Some(held.clone());
            if !self.plan.has(&held.key, &held.row) {
                continue;
            }
            // A row that moved between two statements was read twice. The change that moved it comes.
            if self.by_key.insert(held.key.clone(), held.row.clone()).is_some() {
                self.rows.retain(|other| other.key != held.key);
            }
            self.rows.push(held);
        }
        if !matches!(self.plan.target, Target::Filtered) {
            let plan = Arc::clone(&self.plan);
            self.rows.sort_by(|one, other| plan.compare((&one.row, &one.key), (&other.row, &other.key)));
        }
        self.bound = if complete { None } else { last };
        Ok(())
    }
}
