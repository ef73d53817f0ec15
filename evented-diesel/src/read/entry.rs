//! Defines an event with the states around it.

use evented_core::{Changeset, Replay, StoredEvent};

use crate::error::{Error, Subject};
use crate::model::{Event, Model};

/// An event in its history, with the state before it, the state after it, and the difference.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry<M: Model> {
    /// The event.
    pub event: Event<M>,
    /// The record before the event; `None` if it did not exist.
    pub before: Option<M>,
    /// The record after the event; `None` if the event deleted it.
    pub after: Option<M>,
    /// The fields that differ between the two states.
    pub changeset: Changeset,
}

/// Replays events in the order of their revisions, and returns each with the states before and after it.
pub(crate) fn entries<M: Model>(key: &M::Key, events: Vec<StoredEvent>) -> Result<Vec<Entry<M>>, Error> {
    let name = || Subject::Record { schema: M::SCHEMA, key: M::key_value(key) };
    let mut replay = Replay::<M>::new(key.clone());
    let mut entries = Vec::with_capacity(events.len());
    for stored in events {
        let before = replay.state().as_live().map(M::copy);
        replay.apply(&stored.data).map_err(|source| Error::replay(name(), source))?;
        let after = replay.state().as_live().map(M::copy);
        let changeset = Changeset::between(before.as_ref(), after.as_ref())
            .map_err(|source| Error::field(name(), source))?;
        entries.push(Entry { event: Event::new(key.clone(), stored), before, after, changeset });
    }
    Ok(entries)
}
