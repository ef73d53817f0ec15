//! Names a record that an operation left as it was.

use evented_core::KeyValue;

use crate::error::Error;

/// A record that could not be recorded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Skipped {
    /// The key of the record.
    pub record: KeyValue,
    /// The reason.
    pub error: Error,
}
