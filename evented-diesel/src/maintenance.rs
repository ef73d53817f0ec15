//! Maintains whole tables and logs: backfills a log from rows, rebuilds a table from its log, and upgrades a log to the
//! format of this version.

use evented_core::KeyValue;
use serde::Serialize;

mod backfill;
mod rebuild;

pub use backfill::{Backfill, BackfillPage, BackfillRemaining, Backfilled, FirstEvent, Skipped};
pub use rebuild::{DryRun, Rebuild, Rebuilt};

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
