//! Adds the checks of a log to its type, as methods.

use crate::model::EventLog;
use crate::verify::chain::VerifyChain;
use crate::verify::checkpoint::{
    Checkpoint, Checkpoints, MakeCheckpoint, VerifyCheckpoint, VerifyCheckpoints,
};

/// The checks of a hashed log: `Events::verify_chain()`. Every [`EventLog`] implements it, and the preludes import it.
pub trait LogChecks: EventLog {
    /// Checks the hashes of all events. See [`VerifyChain`].
    fn verify_chain() -> VerifyChain<Self> {
        VerifyChain::new()
    }

    /// Writes a root over all events since the previous checkpoint. See [`MakeCheckpoint`].
    fn checkpoint() -> MakeCheckpoint<Self> {
        MakeCheckpoint::new()
    }

    /// Reads the checkpoints that were written. See [`Checkpoints`].
    fn checkpoints() -> Checkpoints<Self> {
        Checkpoints::new()
    }

    /// Checks a part of the log against a checkpoint. See [`VerifyCheckpoint`].
    fn verify_checkpoint(checkpoint: &Checkpoint) -> VerifyCheckpoint<Self> {
        VerifyCheckpoint::new(checkpoint)
    }

    /// Checks the log against all of its checkpoints. See [`VerifyCheckpoints`].
    fn verify_checkpoints() -> VerifyCheckpoints<Self> {
        VerifyCheckpoints::new()
    }
}

impl<L: EventLog> LogChecks for L {}
