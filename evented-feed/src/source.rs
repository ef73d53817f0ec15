//! The sources of a hub's changes: event logs, or PostgreSQL's write-ahead log.
//!
//! Data flows one way: a source turns what it reads into deliveries, and the routers send each subscriber what it may
//! see.

use crate::shared::Shared;

pub(crate) mod log;
#[cfg(feature = "wal")]
pub(crate) mod write_ahead_log;

/// A source of changes, with the routers that it delivers to.
pub(crate) trait Source: Send {
    /// Delivers the new changes, or waits for a while if there are none. Returns soon after the hub begins to stop.
    fn step(&mut self, hub: &Shared) -> impl Future<Output = Result<(), SourceEnded>> + Send;
}

/// The source can no longer be read. The hub's status contains the reason, and its feeds have ended.
pub(crate) struct SourceEnded;
