//! Caches the states of the records that a reader has seen last, which are the states before their next events.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use evented_core::{Digest, EventData, Evented, KeyValue, RecordState, ReplayError, names, next_state};

use crate::model::Model;
use crate::statements::HistoryEvent;
use crate::stream::histories::LoadedHistory;

/// The states of the records seen last, each after its last event.
///
/// The cache has two generations. When the younger one is full, the older one is dropped, with the records that were
/// not used in the meantime. This costs less per change than a list in order of use.
pub(crate) struct StateCache<M: Model> {
    young: HashMap<KeyValue, CachedState<M>>,
    old: HashMap<KeyValue, CachedState<M>>,
    generation_size: usize,
    /// The record whose history is taken in parts, and its state so far.
    loading: Option<(KeyValue, CachedState<M>)>,
}

/// The state of a record after an event.
struct CachedState<M> {
    revision: i64,
    /// The record; `None` if it does not exist or is deleted.
    state: Option<Arc<RecordState<M>>>,
    /// Whether the history was loaded and leads only this far.
    is_loaded: bool,
}

/// The record before and after a change.
pub(crate) struct Sides<M> {
    pub(crate) before: Option<Arc<RecordState<M>>>,
    pub(crate) after: Option<Arc<RecordState<M>>>,
    /// Whether the event is a savepoint: it changes the revision alone.
    pub(crate) is_savepoint: bool,
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
        Self { revision: 0, state: None, is_loaded: false }
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
        self.is_loaded = false;
        if event.action == names::SAVEPOINT && self.revision > 0 {
            self.revision = event.revision;
            if let Some(record) = self.record().filter(|record| record.revision().is_some()) {
                let mut record = record.copy();
                record.set_revision(event.revision);
                let after = Some(Arc::new(RecordState::new(record)));
                let before = std::mem::replace(&mut self.state, after.clone());
                return Ok(Some(Sides { before, after, is_savepoint: true }));
            }
            return Ok(None);
        }
        let after =
            next_state::<M>(key, self.record(), event)?.map(|record| Arc::new(RecordState::new(record)));
        self.revision = event.revision;
        let before = std::mem::replace(&mut self.state, after.clone());
        Ok(Some(Sides { before, after, is_savepoint: false }))
    }
}

impl<M: Model> StateCache<M> {
    /// Creates a cache of at least `records` states, and at most twice as many.
    pub(crate) fn new(records: NonZeroUsize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), generation_size: records.get(), loading: None }
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

    /// Returns whether the record's state before an event is known, or its history was loaded and does not lead to it.
    pub(crate) fn needs_no_history(&self, record: &KeyValue, event: &EventData) -> bool {
        let known = || self.young.get(record).or_else(|| self.old.get(record));
        event.revision <= 1
            || known().is_some_and(|state| state.revision == event.revision - 1 || state.is_loaded)
    }

    /// Forgets that a record's history was loaded. Its next event loads it again.
    pub(crate) fn load_again(&mut self, record: &KeyValue) {
        for states in [&mut self.young, &mut self.old] {
            if let Some(state) = states.get_mut(record) {
                state.is_loaded = false;
            }
        }
    }

    /// Returns the revision up to which a record's history was taken in parts; 0 if it was not.
    pub(crate) fn loading(&self, record: &KeyValue) -> i64 {
        self.loading.as_ref().filter(|(loading, _)| loading == record).map_or(0, |(_, state)| state.revision)
    }

    /// Returns the revision up to which a record's history is known; 0 if it is not known.
    pub(crate) fn revision(&self, record: &KeyValue) -> i64 {
        self.young.get(record).or_else(|| self.old.get(record)).map_or(0, |state| state.revision)
    }

    /// Takes a record's history, oldest event first, or the next part of it. `more`: whether another part follows. An
    /// event that cannot be replayed ends the history there. The next event then does not follow the known history, and
    /// counts as unreadable.
    ///
    /// A savepoint at the start is only a shortcut. It is unusable if it cannot be read, or does not lead to the state
    /// that it recorded.
    pub(crate) fn load_history(
        &mut self,
        record: &KeyValue,
        history: &[HistoryEvent],
        more: bool,
    ) -> LoadedHistory {
        let Some(key) = M::key_from(record.clone()) else { return LoadedHistory::Complete };
        let mut state = self.take_loading(record, history);
        let mut ended = !more;
        for event in history {
            let data = &event.data;
            let starts = state.revision == 0 && data.revision > 1 && data.action == names::SAVEPOINT;
            if data.revision != state.revision + 1 && !starts {
                ended = true;
                break;
            }
            let applied = catch_panic(|| state.apply(&key, data).is_ok()) == Some(true);
            if starts && !(applied && state.is_as_recorded(event)) {
                catch_panic(|| drop(state));
                return LoadedHistory::UnusableSavepoint;
            }
            if !applied {
                ended = true;
                break;
            }
        }
        if !ended {
            let other = self.loading.replace((record.clone(), state));
            catch_panic(|| drop(other));
            return LoadedHistory::Partial;
        }
        state.is_loaded = true;
        self.put(record, state);
        LoadedHistory::Complete
    }

    /// Takes the state that a part of a record's history continues. That of another record stays, because other
    /// histories are taken between two parts of a long one.
    fn take_loading(&mut self, record: &KeyValue, part: &[HistoryEvent]) -> CachedState<M> {
        let loading = self.loading.take_if(|(loading, _)| loading == record);
        match loading {
            Some((_, state)) if part.first().is_none_or(|event| event.data.revision > state.revision) => {
                state
            }
            other => {
                catch_panic(|| drop(other));
                CachedState::before_first()
            }
        }
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
