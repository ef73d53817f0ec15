//! Says what an upsert or a save did.

use tracing::Span;

use crate::telemetry;
use crate::write::recorded::Recorded;

/// What an upsert or a save did, with the record as the database stores it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<M> {
    /// The record did not exist, and was created.
    Inserted(M),
    /// The record existed, and was changed.
    Changed(M),
    /// The record existed, and was left as it is, without an event.
    Kept(M),
}

impl<M> Outcome<M> {
    /// Converts what a command within an upsert or a save wrote, and records it in the span of the operation.
    pub(crate) fn of(done: Recorded<M>, outcome: fn(M) -> Self) -> Self {
        telemetry::written(&Span::current(), done.event_id, done.revision);
        outcome(done.record)
    }

    /// Returns the record.
    #[must_use]
    pub fn record(&self) -> &M {
        match self {
            Self::Inserted(record) | Self::Changed(record) | Self::Kept(record) => record,
        }
    }

    /// Returns the record.
    #[must_use]
    pub fn into_record(self) -> M {
        match self {
            Self::Inserted(record) | Self::Changed(record) | Self::Kept(record) => record,
        }
    }

    /// Returns whether the record was created.
    #[must_use]
    pub fn is_inserted(&self) -> bool {
        matches!(self, Self::Inserted(_))
    }
}
