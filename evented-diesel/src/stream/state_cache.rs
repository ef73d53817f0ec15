//! Caches the states of the records that a reader has seen last, which are the states before their next events.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use evented_core::{Digest, EventData, Evented, KeyValue, RecordState, ReplayError, names, next_state};

use crate::model::Model;
use crate::statements::HistoryEvent;

/// The states of the records seen last, each after its last event.
///
/// The cache has two generations. When the younger one is full, the older one is dropped, with the records that were
/// not used in the meantime. This costs less per change than a list in order of use.
pub(crate) struct StateCache<M: Model> {
    young: HashMap<KeyValue, CachedState<M>>,
    old: HashMap<KeyValue, CachedState<M>>,
    generation_size: usize,
}

/// The state of a record after an event.
struct CachedState<M> {
    revision: i64,
    /// The record; `None` if it does not exist or is deleted.
    state: Option<Arc<RecordState<M>>>,
}

/// The record before and after a change.
pub(crate) struct Sides<M> {
    pub(crate) before: Option<Arc<RecordState<M>>>,
    pub(crate) after: Option<Arc<RecordState<M>>>,
}

/// The reason why an event was not applied.
pub(crate) enum NotApplied {
    /// The record's history up to the event must be loaded first.
    MissingHistory,
    /// The event cannot be replayed.
    Replay(ReplayError),
    /// The user's code panicked on the event.
    Panicked,
}

/// Runs the user's code; `None` if it panics.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

impl<M: Model> CachedState<M> {
    /// The state before the first event.
    fn before_first() -> Self {
        Self { revision: 0, state: None }
    }

    fn record(&self) -> Option<&M> {
        self.state.as_deref().map(RecordState::record)
    }

    /// Returns whether the state is the one that an event recorded. If another version of the program wrote the event,
    /// its digest has another format; the result is then `true`.
    fn is_as_recorded(&self, event: &HistoryEvent) -> bool {
        let digest = || self.record().map_or(Ok(Digest::NOTHING), Evented::state_digest);
        event.data.version != M::VERSION || digest().is_ok_and(|digest| digest == event.state)
    }

    /// Applies the next event; `None` for an event that changes nothing.
    fn apply(&mut self, key: &M::Key, event: &EventData) -> Result<Option<Sides<M>>, ReplayError> {
        if event.action == names::SAVEPOINT && self.revision > 0 {
            self.revision = event.revision;
            if let Some(record) = self.record().filter(|record| record.revision().is_some()) {
                let mut record = record.clone();
                record.set_revision(event.revision);
                self.state = Some(Arc::new(RecordState::new(record)));
            }
            return Ok(None);
        }
        let after =
            next_state::<M>(key, self.record(), event)?.map(|record| Arc::new(RecordState::new(record)));
        self.revision = event.revision;
        let before = std::mem::replace(&mut self.state, after.clone());
        Ok(Some(Sides { before, after }))
    }
}

impl<M: Model> StateCache<M> {
    /// Creates a cache of at least `records` states, and at most twice as many.
    pub(crate) fn new(records: NonZeroUsize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), generation_size: records.get() }
    }

    fn put(&mut self, record: &KeyValue, state: CachedState<M>) {
        if self.young.len() >= self.generation_size {
            let oldest = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            // A `drop` of the user's type that panics stops neither the reader nor the other states.
            for (_, state) in oldest {
                catch_panic(|| drop(state));
            }
        }
        let last = self.young.insert(record.clone(), state);
        catch_panic(|| drop(last));
    }

    /// Returns whether the record's state before an event is known.
    pub(crate) fn is_known_before(&self, record: &KeyValue, event: &EventData) -> bool {
        event.revision <= 1 || self.revision(record) == event.revision - 1
    }

    /// Returns the revision up to which a record's history is known; 0 if it is not known.
    pub(crate) fn revision(&self, record: &KeyValue) -> i64 {
        self.young.get(record).or_else(|| self.old.get(record)).map_or(0, |state| state.revision)
    }

    /// Takes a record's history, oldest event first. An event that cannot be replayed ends the history there. The next
    /// event then does not follow the known history, and counts as unreadable.
    ///
    /// A savepoint at the start is only a shortcut. If it cannot be read, or does not lead to the state that it
    /// recorded, this returns `false`, and the whole history is required.
    pub(crate) fn load_history(&mut self, record: &KeyValue, history: &[HistoryEvent]) -> bool {
        let Some(key) = M::key_from(record.clone()) else { return true };
        let mut state = CachedState::before_first();
        for event in history {
            let data = &event.data;
            let starts = state.revision == 0 && data.revision > 1 && data.action == names::SAVEPOINT;
            if data.revision != state.revision + 1 && !starts {
                break;
            }
            let applied = catch_panic(|| state.apply(&key, data).is_ok()) == Some(true);
            if starts && !(applied && state.is_as_recorded(event)) {
                return false;
            }
            if !applied {
                break;
            }
        }
        self.put(record, state);
        true
    }

    /// Applies the next event; `None` for an event that changes nothing.
    ///
    /// # Errors
    ///
    /// If the record's state before the event is not known, or the event cannot be replayed. The record is not known
    /// afterwards.
    pub(crate) fn apply(
        &mut self,
        record: &KeyValue,
        key: &M::Key,
        event: &EventData,
    ) -> Result<Option<Sides<M>>, NotApplied> {
        if let Some(state) = self.young.get_mut(record)
            && state.revision == event.revision - 1
        {
            let applied = catch_panic(|| state.apply(key, event));
            if applied.is_none() {
                let broken = self.young.remove(record);
                catch_panic(|| drop(broken));
            }
            return applied.ok_or(NotApplied::Panicked)?.map_err(NotApplied::Replay);
        }
        let known = match self.old.remove(record) {
            Some(state) if state.revision == event.revision - 1 => Some(state),
            _ => (event.revision <= 1).then(CachedState::before_first),
        };
        let Some(mut state) = known else { return Err(NotApplied::MissingHistory) };
        let applied = catch_panic(|| state.apply(key, event)).ok_or(NotApplied::Panicked)?;
        self.put(record, state);
        applied.map_err(NotApplied::Replay)
    }
}
