//! Turns: the changes of a set at one cut.

use std::fmt;

use evented_core::live::Shape;
use serde::Serialize;

use super::{Core, Label, Shown};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::reader::Reader;
use crate::status::Status;
use crate::store::Openable;

/// The changes of a set at one cut: the labels that changed, each with its old and its new value.
pub struct Turn<'s, E: Reader> {
    core: &'s mut Core<E>,
}

/// Whether the callbacks after this one are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They are called.
    Continue,
    /// They are not called for this turn.
    Halt,
}

/// State that is kept elsewhere and takes each turn: [`Set::drive`](super::Set::drive).
pub trait Sink<E: Reader> {
    /// Takes a turn.
    fn assign(&mut self, turn: &Turn<'_, E>);
}

impl<E: Reader, F: FnMut(&Turn<'_, E>)> Sink<E> for F {
    fn assign(&mut self, turn: &Turn<'_, E>) {
        self(turn);
    }
}

impl<'s, E: Reader> Turn<'s, E> {
    pub(super) fn new(core: &'s mut Core<E>) -> Self {
        Self { core }
    }

    /// Whether the value of a label changed.
    pub fn has<V: Shape>(&self, label: Label<V>) -> bool {
        self.core.labels.iter().any(|named| named.id == label.id && named.slot.has_changed())
    }

    /// The labels that changed, in the order in which they were put into the set.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.core.labels.iter().filter(|named| named.slot.has_changed()).map(|named| named.name.as_str())
    }

    /// The value of a label, changed or not; `None` before it was read, and after it was cancelled.
    pub fn get<V: Shape>(&self, label: Label<V>) -> Option<V> {
        self.core.entry(label)?.value().cloned()
    }

    /// The value that a label had before this turn; `None` if it did not change, or had none.
    pub fn old<V: Shape>(&self, label: Label<V>) -> Option<V> {
        self.core.entry(label)?.old().cloned()
    }

    /// The cut of the turn.
    #[must_use]
    pub fn position(&self) -> &Cut {
        &self.core.cut
    }

    /// How the values stand to the database: as the worst of them.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.core.status
    }

    /// Puts a query under a label, as [`Set::sync`](super::Set::sync) does. Its value comes with a later turn: use it to point
    /// a label at what another label has now.
    ///
    /// # Errors
    ///
    /// As [`Set::sync`](super::Set::sync).
    pub fn sync<Q: Openable<E>>(&mut self, label: &str, query: Q) -> Result<Label<Q::Value>, LiveError> {
        self.core.sync(label, query, None)
    }

    /// Puts a query under a label and shows its values, as [`Set::show`](super::Set::show) does.
    ///
    /// # Errors
    ///
    /// As [`Set::sync`](super::Set::sync).
    pub fn show<Q: Openable<E>>(&mut self, label: &str, query: Q) -> Result<Label<Q::Value>, LiveError>
    where
        <Q::Value as Shape>::Item: Serialize + PartialEq,
    {
        self.core.sync(label, query, Some(Shown::new()))
    }

    /// Ends a label, and clears its value.
    pub fn cancel(&mut self, label: &str) -> bool {
        self.core.cancel(label, false)
    }

    /// The shown labels that changed, as a JSON object: what a page or a template takes over its own.
    #[must_use]
    pub fn assign_map(&self) -> serde_json::Map<String, serde_json::Value> {
        let changed = self.core.labels.iter().filter(|named| named.slot.has_changed());
        let values = changed.filter_map(|named| {
            let json = named.slot.json()?;
            Some((named.name.clone(), serde_json::from_str(&json).unwrap_or_default()))
        });
        values.collect()
    }
}

impl<E: Reader> fmt::Debug for Turn<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.labels().collect();
        f.debug_struct("Turn")
            .field("labels", &labels)
            .field("position", self.position())
            .finish_non_exhaustive()
    }
}
