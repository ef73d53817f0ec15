//! Takes what was read for the queries of a model.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Differs, Queries, QueryId, State};
use crate::live::model::LiveModel;
use crate::live::window::Fill;
use crate::{ChangeKind, KeyValue, Position, RawChange};

impl<M: LiveModel> Queries<M> {
    /// Takes what was read. Returns `false` if another read was wanted meanwhile.
    pub fn filled(&mut self, id: QueryId, generation: u64, fill: Fill<M>, marker: Position) -> bool {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.generation == generation) else {
            return false;
        };
        if let State::Reads(read) | State::Refreshes(read) = &mut entry.state {
            read.arrived = Some((fill, marker));
        }
        true
    }

    /// The queries whose rows were read, and which wait for a cut that has reached the read.
    pub fn waiting(&self) -> impl Iterator<Item = QueryId> {
        let arrived = |id: &QueryId| {
            let state = self.entries.get(id).map(|entry| &entry.state);
            matches!(state, Some(State::Reads(read) | State::Refreshes(read)) if read.arrived.is_some())
        };
        self.reading.iter().map(|(_, id)| *id).filter(arrived)
    }

    /// Ends the reads that a cut has reached. The caller has passed every change up to the cut, and none behind it. Returns
    /// the queries that stand again, and those that differ.
    pub fn settle(&mut self, has_reached: impl Fn(Position) -> bool) -> Vec<Result<QueryId, Differs>> {
        let mut settled = Vec::new();
        for id in self.waiting().collect::<Vec<_>>() {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let (State::Reads(read) | State::Refreshes(read)) = &mut entry.state else { continue };
            if !read.arrived.as_ref().is_some_and(|(_, marker)| has_reached(*marker)) {
                continue;
            }
            let from = read.from;
            let Some((fill, _)) = read.arrived.take() else { continue };
            self.reading.remove(&(from, id));
            match self.stand(id, fill) {
                Ok(()) => {
                    self.catch_up(id, from);
                    if self.stands(id) {
                        settled.push(Ok(id));
                    }
                }
                Err(differs) => settled.push(Err(differs)),
            }
        }
        self.forget();
        settled
    }

    /// Ends reads like [`settle`](Self::settle) at a cut before the one that has reached them: `ahead` are the changes since, which
    /// are undone in what was read. They are taken later.
    pub fn settle_before(
        &mut self,
        has_reached: impl Fn(Position) -> bool,
        ahead: &[Arc<RawChange<M>>],
    ) -> Vec<Result<QueryId, Differs>> {
        let mut settled = self.settle(has_reached);
        // The first change of a record since says what the record was.
        let mut before: HashMap<KeyValue, &Arc<RawChange<M>>> = HashMap::new();
        for change in ahead {
            if let Some(key) = &change.key {
                before.entry(M::key_value(key)).or_insert(change);
            }
        }
        if before.is_empty() {
            return settled;
        }
        for id in settled.iter().filter_map(|settled| settled.as_ref().ok()) {
            for (key, change) in &before {
                self.apply(*id, key, change.before.as_ref());
            }
            self.refill(*id);
        }
        settled.retain(|settled| settled.as_ref().map_or(true, |id| self.stands(*id)));
        settled
    }

    /// Gives a query its rows.
    pub(super) fn stand(&mut self, id: QueryId, fill: Fill<M>) -> Result<(), Differs> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        entry.window.keys().for_each(|key| self.index.release(id, key));
        let filled = entry.window.fill(fill);
        if let Err(key) = filled {
            entry.state = State::Failed;
            return Err(Differs { id, key });
        }
        entry.state = State::Stands;
        entry.window.keys().for_each(|key| self.index.hold(id, key));
        entry.mark(id, &mut self.dirty);
        Ok(())
    }

    /// Applies the changes since a read was wanted.
    fn catch_up(&mut self, id: QueryId, from: u64) {
        let changes: Vec<_> = self.recent.from(from).cloned().collect();
        if let Some(index) = changes.iter().rposition(|change| change.table == Some(ChangeKind::Truncate)) {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.window.keys().for_each(|key| self.index.release(id, key));
                entry.window.clear();
            }
            self.apply_all(id, changes.get(index + 1..).unwrap_or_default());
        } else {
            self.apply_all(id, &changes);
        }
        self.refill(id);
    }
}
