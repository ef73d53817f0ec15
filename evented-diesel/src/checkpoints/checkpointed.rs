//! Adds the operations on checkpoints to a log's type, as methods.

use evented_core::LogOffset;

use crate::checkpoints::{Checkpoints, MakeCheckpoint, ProveConsistency, ProveInclusion, VerifyCheckpoints};
use crate::model::EventLog;

/// The checkpoints of a hashed log: `Events::checkpoint()`. Every [`EventLog`] implements it, and the preludes import it.
pub trait Checkpointed: EventLog {
    /// Records the root of the tree over all events so far. See [`MakeCheckpoint`].
    fn checkpoint() -> MakeCheckpoint<Self> {
        MakeCheckpoint::new()
    }

    /// Reads the checkpoints that were made. See [`Checkpoints`].
    fn checkpoints() -> Checkpoints<Self> {
        Checkpoints::new()
    }

    /// Checks the log against its checkpoints. See [`VerifyCheckpoints`].
    fn verify_checkpoints() -> VerifyCheckpoints<Self> {
        VerifyCheckpoints::new()
    }

    /// Proves that an event is in the log: `Events::prove_inclusion(event.offset())`. See [`ProveInclusion`].
    fn prove_inclusion(event: LogOffset) -> ProveInclusion<Self> {
        ProveInclusion::new(event)
    }

    /// Proves that the last checkpoint continues an earlier one, by its number. See [`ProveConsistency`].
    fn prove_consistency(from: i64) -> ProveConsistency<Self> {
        ProveConsistency::new(from)
    }
}

impl<L: EventLog> Checkpointed for L {}
