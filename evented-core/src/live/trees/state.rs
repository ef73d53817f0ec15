//! The state of one tree query: its lists at a cut, and the value that they give.

use std::any::TypeId;

use super::Tree;
use super::graph::{Change, Graph};
use super::grower::Grower;
use super::tree_query::TreeParts;
use crate::live::list::List;
use crate::live::model::LiveModel;
use crate::live::plan::Plan;
use crate::live::queries::{QueryId, Wanted};
use crate::live::routes::Route;
use crate::live::window::Fill;
use crate::{KeyValue, Position};

/// The state of one query of trees.
///
/// The caller tells each change up to a cut, and asks for the value. If something is not [known](Grown::Missing), the state stays
/// at that cut: the caller makes the reads that are [wanted](Self::take_wanted), keeps the changes that come meanwhile, and when a
/// cut has reached the reads, [`settle`](Self::settle) undoes these changes in what was read.
#[doc(hidden)]
pub struct TreeState<T: Tree> {
    graph: Graph,
    plan: Plan<T::Model>,
    value: Option<List<T>>,
}

/// A tree is deeper than [`MOST_LEVELS`](super::MOST_LEVELS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct TooDeep;

/// The value at a cut.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grown {
    /// It is what it was.
    Same,
    /// It changed.
    Changed,
    /// Something is not known yet.
    Missing,
}

impl<T: Tree> TreeState<T> {
    /// The state of a query of which nothing is known, with the routes to it, if there are any. The other parameters are those of
    /// [`Queries`](crate::live::Queries::new).
    #[must_use]
    pub fn new(parts: TreeParts<T>, says_generated: bool, spare: usize, route: Option<Route>) -> Self {
        let TreeParts { plan, policies } = parts;
        Self { graph: Graph::new(policies, says_generated, spare, route), plan, value: None }
    }

    /// The state of the same query, of which nothing is known. It keeps the last value, to compare with.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { graph: self.graph.again(), plan: self.plan.clone(), value: self.value.clone() }
    }

    /// The query at the roots.
    #[must_use]
    pub fn plan(&self) -> &Plan<T::Model> {
        &self.plan
    }

    /// Takes the next change.
    pub fn change(&mut self, change: &Change) {
        self.graph.change(change);
    }

    /// Whether these changes can be undone in what is read.
    #[must_use]
    pub fn can_undo(&self, changes: &[Change]) -> bool {
        self.graph.can_undo(changes)
    }

    /// Ends the reads whose markers a cut has reached. `ahead` are the changes that the caller has kept since the cut at which the
    /// state is. Returns whether there were such reads.
    ///
    /// # Errors
    ///
    /// The model and the key of a record on which memory and the database differ.
    pub fn settle(
        &mut self,
        has_reached: impl Fn(Position) -> bool,
        ahead: &[Change],
    ) -> Result<bool, (TypeId, KeyValue)> {
        self.graph.settle(&has_reached, ahead)
    }

    /// Whether a read is under way.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.graph.is_reading()
    }

    /// Builds the value of the lists as they are.
    ///
    /// # Errors
    ///
    /// [`TooDeep`].
    pub fn grow(&mut self) -> Result<Grown, TooDeep> {
        self.graph.mark_dirty();
        if self.graph.nodes.get(&Graph::top()).is_some_and(|top| top.is_clean) {
            return Ok(Grown::Same);
        }
        let built = Grower::new(&mut self.graph).roots::<T>(&self.plan);
        if self.graph.is_too_deep {
            return Err(TooDeep);
        }
        let Some(built) = built else { return Ok(Grown::Missing) };
        self.graph.sweep();
        let is_same = self
            .value
            .as_ref()
            .is_some_and(|before| *before == built && before.record_keys() == built.record_keys());
        if is_same {
            return Ok(Grown::Same);
        }
        self.value = Some(built);
        Ok(Grown::Changed)
    }

    /// The last value.
    #[must_use]
    pub fn value(&self) -> Option<&List<T>> {
        self.value.as_ref()
    }

    /// Takes the reads of a model that are wanted since the last call.
    pub fn take_wanted<M: LiveModel>(&mut self) -> Vec<Wanted<M>> {
        self.graph.lists::<M>().map(|lists| lists.queries.take_wanted()).unwrap_or_default()
    }

    /// Takes what was read for a list.
    pub fn filled<M: LiveModel>(&mut self, id: QueryId, generation: u64, fill: Fill<M>, marker: Position) {
        if let Some(lists) = self.graph.lists::<M>() {
            lists.queries.filled(id, generation, fill, marker);
        }
    }

    /// Reads a list again whose read has failed.
    pub fn read_again<M: LiveModel>(&mut self, id: QueryId, generation: u64) {
        if let Some(lists) = self.graph.lists::<M>()
            && lists.queries.failed(id, generation)
        {
            lists.queries.read(id);
        }
    }

    /// The number of rows that are kept.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.graph.rows()
    }
}

impl<T: Tree> std::fmt::Debug for TreeState<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeState").field("of", &self.plan).finish_non_exhaustive()
    }
}
