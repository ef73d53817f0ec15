//! What the records were before their next events: the states that a stream of events is folded into.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use evented_core::{Digest, Evented, KeyValue, Moment, ReplayError, StoredEvent, names, next_state};

use crate::model::Model;

/// The states of the records seen last, each as its last event left it.
///
/// In two generations: what is not used while the younger one fills is forgotten with the older one. It costs a change
/// less than keeping a list of what was used when.
pub(crate) struct States<M: Model> {
    young: HashMap<KeyValue, Known<M>>,
    old: HashMap<KeyValue, Known<M>>,
    most: usize,
}

/// A record as an event left it.
struct Known<M> {
    revision: i64,
    /// The record; `None` if there is none any more.
    moment: Option<Arc<Moment<M>>>,
}

/// The two sides of a change.
pub(crate) struct Folded<M> {
    pub(crate) before: Option<Arc<Moment<M>>>,
    pub(crate) after: Option<Arc<Moment<M>>>,
}

/// Why an event could not be applied.
pub(crate) enum Unfolded {
    /// The record's history up to it must be told first.
    Lacking,
    /// It cannot be replayed.
    Fault(ReplayError),
    /// Code of the users' panicked with it.
    Panicked,
}

impl<M: Model> Known<M> {
    /// Before the first event.
    fn nothing() -> Self {
        Self { revision: 0, moment: None }
    }

    fn record(&self) -> Option<&M> {
        self.moment.as_deref().map(Moment::record)
    }

    /// Whether it is what an event says that it left.
    fn is_as_recorded(&self, event: &StoredEvent) -> bool {
        // What another version of the program wrote has another digest.
        let digest = || self.record().map_or(Ok(Digest::NOTHING), Evented::state_digest);
        event.version != M::VERSION || digest().is_ok_and(|digest| digest == event.state)
    }

    /// Applies the next event; `None` for one that changes nothing.
    fn fold(&mut self, key: &M::Key, event: &StoredEvent) -> Result<Option<Folded<M>>, ReplayError> {
        if event.action == names::SAVEPOINT && self.revision > 0 {
            self.revision = event.revision;
            if let Some(record) = self.record().filter(|record| record.revision().is_some()) {
                let mut record = record.clone();
                record.set_revision(event.revision);
                self.moment = Some(Arc::new(Moment::new(record)));
            }
            return Ok(None);
        }
        let after = next_state::<M>(key, self.record(), event)?.map(|record| Arc::new(Moment::new(record)));
        self.revision = event.revision;
        let before = std::mem::replace(&mut self.moment, after.clone());
        Ok(Some(Folded { before, after }))
    }
}

/// What comes of code of the users': nothing, if it panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

impl<M: Model> States<M> {
    /// Of at least so many records, and of twice as many at most.
    pub(crate) fn new(records: NonZeroUsize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most: records.get() }
    }

    fn put(&mut self, record: &KeyValue, known: Known<M>) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(record.clone(), known);
    }

    /// Whether the record's history up to an event must be told first.
    pub(crate) fn lacks(&self, record: &KeyValue, event: &StoredEvent) -> bool {
        let known = self.young.get(record).or_else(|| self.old.get(record));
        event.revision > 1 && known.is_none_or(|known| known.revision != event.revision - 1)
    }

    /// Takes a record's history, oldest first, up to some event. A part that cannot be replayed ends it: the event after
    /// it is told as one that cannot be read.
    ///
    /// A savepoint that it starts with is only a short cut: if it cannot be used, the answer is no, and the whole history is
    /// wanted.
    pub(crate) fn learn(&mut self, record: &KeyValue, history: &[StoredEvent]) -> bool {
        let Some(key) = M::key_from(record.clone()) else { return true };
        let mut known = Known::nothing();
        for event in history {
            let starts = known.revision == 0 && event.revision > 1 && event.action == names::SAVEPOINT;
            if event.revision != known.revision + 1 && !starts {
                break;
            }
            let folded = caught(|| known.fold(&key, event).is_ok());
            if starts && !(folded == Some(true) && known.is_as_recorded(event)) {
                return false;
            }
            if folded != Some(true) {
                break;
            }
        }
        self.put(record, known);
        true
    }

    /// Applies the next event; `None` for one that changes nothing.
    ///
    /// # Errors
    ///
    /// A record that is not known as it was before, and an event that cannot be replayed. The record is unknown then.
    pub(crate) fn fold(
        &mut self,
        record: &KeyValue,
        key: &M::Key,
        event: &StoredEvent,
    ) -> Result<Option<Folded<M>>, Unfolded> {
        if let Some(known) = self.young.get_mut(record)
            && known.revision == event.revision - 1
        {
            let folded = caught(|| known.fold(key, event));
            if folded.is_none() {
                self.young.remove(record);
            }
            return folded.ok_or(Unfolded::Panicked)?.map_err(Unfolded::Fault);
        }
        let known = match self.old.remove(record) {
            Some(known) if known.revision == event.revision - 1 => Some(known),
            _ => (event.revision <= 1).then(Known::nothing),
        };
        let Some(mut known) = known else { return Err(Unfolded::Lacking) };
        let folded = caught(|| known.fold(key, event)).ok_or(Unfolded::Panicked)?;
        self.put(record, known);
        folded.map_err(Unfolded::Fault)
    }

    /// How far a record's history is known; 0 if it is not.
    pub(crate) fn revision(&self, record: &KeyValue) -> i64 {
        self.young.get(record).or_else(|| self.old.get(record)).map_or(0, |known| known.revision)
    }
}
