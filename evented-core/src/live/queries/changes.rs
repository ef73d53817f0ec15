//! Applies changes to the queries of a model.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Entry, Queries, QueryId, State};
use crate::live::model::LiveModel;
use crate::{ChangeKind, KeyValue, RawChange, RecordState};

/// A window after this many changes without being short returns to a smaller size.
const QUIET: usize = 1_024;

/// What a change of a record did to a query.
enum Applied {
    Unchanged,
    /// A shown row changed. What the database generated in it may have changed, too, and is not known.
    Changed {
        is_partly_known: bool,
    },
    /// The record enters, and what the database generated in it is not known.
    Unreadable,
}

impl<M: LiveModel> Queries<M> {
    /// Takes the next change.
    pub fn change(&mut self, change: &Arc<RawChange<M>>) {
        if !self.reading.is_empty() && !self.recent.keep(change) {
            // Too many changes came while it was read.
            let ids: Vec<_> = self.reading.iter().map(|(_, id)| *id).collect();
            ids.into_iter().for_each(|id| self.read(id));
        }
        match (&change.key, change.table) {
            (_, Some(ChangeKind::Truncate)) => self.truncate(),
            (_, Some(_)) => self.read_all(),
            (Some(key), None) => {
                let key = M::key_value(key);
                let after = change.after.as_ref().map(|after| after.record());
                for id in self.index.concerned(&key, after) {
                    self.apply(id, &key, change.after.as_ref());
                    self.refill(id);
                }
            }
            (None, None) => {}
        }
    }

    fn truncate(&mut self) {
        for (id, entry) in &mut self.entries {
            if matches!(entry.state, State::Stands | State::Refreshes(_)) {
                entry.window.keys().for_each(|key| self.index.release(*id, key));
                entry.window.clear();
                entry.mark(*id, &mut self.dirty);
            }
        }
    }

    /// Applies a change of a record.
    pub(super) fn apply(&mut self, id: QueryId, key: &KeyValue, after: Option<&Arc<RecordState<M>>>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if !matches!(entry.state, State::Stands | State::Refreshes(_)) {
            return;
        }
        match entry.applied(key, after, self.says_generated) {
            Applied::Unreadable => return self.read(id),
            Applied::Changed { is_partly_known } => {
                entry.mark(id, &mut self.dirty);
                if is_partly_known {
                    self.refresh(id);
                }
            }
            Applied::Unchanged => {}
        }
        self.follow(id, key);
    }

    /// Brings the index, and the size of a window, in line with a change of one record.
    fn follow(&mut self, id: QueryId, key: &KeyValue) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        match entry.window.row(key) {
            Some(_) => self.index.hold(id, key),
            None => self.index.release(id, key),
        }
        if let Some(evicted) = entry.window.take_evicted() {
            self.index.release(id, &evicted);
        }
        entry.quiet += 1;
        if entry.quiet >= QUIET {
            entry.window.shrink();
            entry.quiet = 0;
        }
    }

    /// Reads a window again that is short, longer than before.
    pub(super) fn refill(&mut self, id: QueryId) {
        if let Some(entry) = self.entries.get_mut(&id)
            && matches!(entry.state, State::Stands | State::Refreshes(_))
            && entry.window.is_short()
        {
            entry.window.grow();
            entry.quiet = 0;
            self.read(id);
        }
    }

    /// Applies the last change of each record.
    pub(super) fn apply_all(&mut self, id: QueryId, changes: &[Arc<RawChange<M>>]) {
        let mut last: HashMap<KeyValue, &Arc<RawChange<M>>> = HashMap::new();
        for change in changes {
            if let Some(key) = &change.key {
                last.insert(M::key_value(key), change);
            }
        }
        for (key, change) in last {
            self.apply(id, &key, change.after.as_ref());
        }
    }
}

impl<M: LiveModel> Entry<M> {
    fn applied(
        &mut self,
        key: &KeyValue,
        after: Option<&Arc<RecordState<M>>>,
        says_generated: bool,
    ) -> Applied {
        let Some(after) = after.filter(|_| !says_generated) else {
            let changed = self.window.apply(key, after);
            return if changed { Applied::Changed { is_partly_known: false } } else { Applied::Unchanged };
        };
        let Some(held) = self.window.row(key) else {
            let enters = self.window.plan().has(key, after.record());
            return if enters { Applied::Unreadable } else { Applied::Unchanged };
        };
        if held.revision() == after.record().revision()
            && matches!((held.state_digest(), after.record().state_digest()), (Ok(one), Ok(other)) if one == other)
        {
            return Applied::Unchanged;
        }
        let mut record = after.record().copy();
        record.copy_generated(held);
        let changed = self.window.apply(key, Some(&Arc::new(RecordState::new(record))));
        if changed { Applied::Changed { is_partly_known: true } } else { Applied::Unchanged }
    }
}
