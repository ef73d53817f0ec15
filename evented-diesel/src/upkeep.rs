//! What is done to whole tables and logs, now and then: bring rows into the log, write a table anew from it, bring a log
//! to the form of this version.

use evented_core::KeyValue;

mod bring_up;
mod formats;
mod rebuild;

pub use bring_up::{BringUp, BringUpPage, BroughtUp, FirstEvent, Remaining, Skipped};
pub use formats::{LogState, LogStatus, Status, Upgrade};
pub use rebuild::{DryRun, Rebuild, Rebuilt};

/// How far a long operation has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// How many events and rows have been read.
    pub seen: u64,
    /// How many rows have been written.
    pub written: u64,
    /// The last record written.
    pub last: Option<KeyValue>,
}
