//! References to a record: by key, or by the caller's copy.

use crate::Evented;

/// Identifies the record of a command or channel by its key. Holds the caller's copy too, if that has its revision.
#[derive(Debug)]
pub struct RecordRef<M: Evented> {
    key: M::Key,
    copy: Option<M>,
}

impl<M: Evented> Clone for RecordRef<M> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), copy: self.copy.as_ref().map(M::copy) }
    }
}

/// A type that identifies a record: a reference to the record, or its key by value. `#[derive(Evented)]` implements
/// it for both.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a `{M}`",
    label = "neither `&{M}` nor its key",
    note = "pass the record by reference, or its key by value"
)]
pub trait IntoRecordRef<M: Evented> {
    /// Converts this to the record's key, and the caller's copy if there is one.
    fn into_record_ref(self) -> RecordRef<M>;
}

impl<M: Evented> RecordRef<M> {
    /// Refers to the record with this key.
    pub fn by_key(key: M::Key) -> Self {
        Self { key, copy: None }
    }

    /// Refers to this record. Keeps a copy only if a field of the record holds its revision: a write can then use the
    /// copy without reading the record.
    pub fn record(record: &M) -> Self {
        Self { key: record.key(), copy: record.revision().map(|_| record.copy()) }
    }

    /// The record's key.
    pub fn key(&self) -> &M::Key {
        &self.key
    }

    /// The record's key.
    pub fn into_key(self) -> M::Key {
        self.key
    }

    /// The caller's copy; `None` if the copy does not hold its revision.
    pub fn copy(&self) -> Option<&M> {
        self.copy.as_ref()
    }
}

impl<M: Evented> IntoRecordRef<M> for RecordRef<M> {
    fn into_record_ref(self) -> RecordRef<M> {
        self
    }
}
