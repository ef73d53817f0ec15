//! Describes what other SQL did to a record, and the event that records it.

use chrono::{DateTime, Utc};
use evented_core::Meta;

/// What other SQL did to a record.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Unrecorded<'a, M> {
    /// There is a row, and the log has no such record, or has it as deleted.
    New(&'a M),
    /// The row differs from the log.
    Changed {
        /// The record in the log.
        log: &'a M,
        /// The row.
        row: &'a M,
    },
    /// The row is gone. Contains the record in the log.
    Gone(&'a M),
}

/// The data of an event besides what it changed. A hook can set it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExternalEvent {
    /// The time of the event. Default: now.
    pub at: DateTime<Utc>,
    /// The metadata of the event: who caused it, and why. Default: empty.
    pub meta: Meta,
}

impl ExternalEvent {
    /// An event of now, without metadata.
    pub(super) fn now() -> Self {
        Self { at: Utc::now(), meta: Meta::default() }
    }
}
