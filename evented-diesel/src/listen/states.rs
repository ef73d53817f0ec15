//! What the records were before their next events: the states that a stream of events is folded into.

use std::num::NonZeroUsize;
use std::sync::Arc;

use evented_core::{KeyValue, ReplayError, ReplayFault, Scope, ScopeKey, StoredEvent, names, next_state};
use lru::LruCache;

use crate::model::Model;

/// The states of the records seen last, each as its last event left it.
pub(crate) struct States<M: Model> {
    known: LruCache<KeyValue, Known<M>>,
}

/// A record as an event left it.
pub(crate) struct Known<M> {
    pub(crate) revision: i64,
    /// The record; `None` if there is none any more.
    pub(crate) record: Option<Arc<M>>,
    pub(crate) scopes: Vec<Option<ScopeKey>>,
}

/// The two sides of a change.
pub(crate) struct Folded<M> {
    pub(crate) before: Option<Arc<M>>,
    pub(crate) after: Option<Arc<M>>,
    pub(crate) scopes_before: Vec<Option<ScopeKey>>,
    pub(crate) scopes_after: Vec<Option<ScopeKey>>,
}

impl<M> Clone for Known<M> {
    fn clone(&self) -> Self {
        Self { revision: self.revision, record: self.record.clone(), scopes: self.scopes.clone() }
    }
}

impl<M: Model> Known<M> {
    /// Before the first event.
    fn nothing() -> Self {
        Self { revision: 0, record: None, scopes: Vec::new() }
    }

    fn of(record: Option<M>, revision: i64) -> Self {
        let scopes = record.as_ref().map(Scope::keys_of).unwrap_or_default();
        Self { revision, record: record.map(Arc::new), scopes }
    }
}

impl<M: Model> States<M> {
    /// Of at most so many records.
    pub(crate) fn new(records: NonZeroUsize) -> Self {
        Self { known: LruCache::new(records) }
    }

    /// Whether the record's history up to an event must be told first. What is known is kept for that event.
    pub(crate) fn lacks(&mut self, record: &KeyValue, event: &StoredEvent) -> bool {
        event.revision > 1 && self.known.get(record).is_none_or(|known| known.revision != event.revision - 1)
    }

    /// Takes a record's history, oldest first, up to some event. A part that cannot be replayed leaves the record
    /// unknown: the event after it says so.
    pub(crate) fn learn(&mut self, record: &KeyValue, history: &[StoredEvent]) {
        let Some(key) = M::key_from(record.clone()) else { return };
        let mut known = Known::nothing();
        for event in history {
            let starts = known.revision == 0 && event.action == names::SAVEPOINT;
            if event.revision != known.revision + 1 && !starts {
                return;
            }
            match next_state::<M>(&key, known.record.as_deref(), event) {
                Ok(state) => {
                    known =
                        Known { record: state.map(Arc::new), revision: event.revision, scopes: Vec::new() }
                }
                Err(_) => return,
            }
        }
        known.scopes = known.record.as_deref().map(Scope::keys_of).unwrap_or_default();
        self.known.put(record.clone(), known);
    }

    /// Applies the next event; `None` for one that changes nothing.
    ///
    /// # Errors
    ///
    /// An event that cannot be replayed. The record is unknown then.
    pub(crate) fn fold(
        &mut self,
        record: &KeyValue,
        event: &StoredEvent,
    ) -> Result<Option<Folded<M>>, ReplayError> {
        let before = match self.known.pop(record) {
            Some(known) if known.revision == event.revision - 1 => known,
            _ if event.revision <= 1 => Known::nothing(),
            known => return Err(gap(known.map_or(0, |known| known.revision), event)),
        };
        let Some(key) = M::key_from(record.clone()) else { return Ok(None) };
        if event.action == names::SAVEPOINT {
            let mut before = before;
            if let Some(state) = &mut before.record
                && state.revision().is_some()
            {
                let mut state_now = M::clone(state);
                state_now.set_revision(event.revision);
                *state = Arc::new(state_now);
            }
            self.known.put(record.clone(), Known { revision: event.revision, ..before });
            return Ok(None);
        }
        let after = next_state::<M>(&key, before.record.as_deref(), event)?;
        let after = Known::of(after, event.revision);
        let folded = Folded {
            before: before.record,
            after: after.record.clone(),
            scopes_before: before.scopes,
            scopes_after: after.scopes.clone(),
        };
        self.known.put(record.clone(), after);
        Ok(Some(folded))
    }
}

/// The history of a record has a gap before an event.
fn gap(after: i64, event: &StoredEvent) -> ReplayError {
    ReplayError {
        revision: event.revision,
        action: event.action.clone(),
        version: event.version,
        reason: ReplayFault::Gap { after, found: event.revision },
    }
}
