//! Maintains whole tables and logs: records what other SQL did, backfills a log from rows, and rebuilds a table from its
//! log.

use evented_core::KeyValue;
use serde::Serialize;

mod adopt;
mod backfill;
mod rebuild;
mod record_changes;
mod row_writer;
mod skipped;
mod unrecorded;

pub use adopt::{Adopt, AdoptPage, AllRows, FilteredRows, RowsToCompare};
pub use backfill::{Backfill, BackfillPage, BackfillRemaining, Backfilled};
pub use rebuild::{DryRun, Rebuild, Rebuilt};
pub use record_changes::Adopted;
pub use skipped::Skipped;
pub use unrecorded::{ExternalEvent, Unrecorded};

/// The progress of a long operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// The number of events and rows that have been read.
    pub examined: u64,
    /// The number of rows that have been written.
    pub written: u64,
    /// The key of the last record that was written.
    pub last: Option<KeyValue>,
}
