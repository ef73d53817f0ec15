//! What a hook after a write receives.

use evented_core::{Evented, KeyValue};

/// A record before and after a write, for the hook of `#[evented(after_write = …)]`.
#[derive(Debug)]
pub struct Written<'w, M> {
    before: Option<&'w M>,
    after: Option<&'w M>,
}

impl<'w, M: Evented> Written<'w, M> {
    pub(crate) fn new(before: Option<&'w M>, after: Option<&'w M>) -> Self {
        Self { before, after }
    }

    /// Returns the record before the write; `None` if it did not exist.
    #[must_use]
    pub fn before(&self) -> Option<&'w M> {
        self.before
    }

    /// Returns the record after the write; `None` if it was deleted.
    #[must_use]
    pub fn after(&self) -> Option<&'w M> {
        self.after
    }

    /// Returns the record's key.
    #[must_use]
    pub fn key(&self) -> Option<KeyValue> {
        self.after.or(self.before).map(|record| M::key_value(&record.key()))
    }
}

impl<M> Clone for Written<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Written<'_, M> {}
