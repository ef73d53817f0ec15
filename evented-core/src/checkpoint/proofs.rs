//! Proofs about a log, complete with what they are checked against. They are checked without the log.

use serde::{Deserialize, Serialize};

use crate::{Checkpoint, ConsistencyProof, InclusionProof, Leaf};

/// A proof that an event is in a log, up to a checkpoint. Its serde form is JSON to hand to an auditor.
///
/// The auditor compares [`event`](Self::event)'s hash with the one computed from the event ([`Chained`](crate::Chained)),
/// checks the signature of the checkpoint, and [verifies](Self::verify) the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventProof {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The event: its place in the log and its hash.
    pub event: Leaf,
    /// The way from the event to the root of the checkpoint.
    pub inclusion: InclusionProof,
}

impl EventProof {
    /// Whether the event is in the tree of the checkpoint. Does not check the checkpoint's signature.
    #[must_use]
    pub fn verify(&self) -> bool {
        self.inclusion.size == self.checkpoint.size
            && self.inclusion.verify(&self.event.tree_hash(), &self.checkpoint.root)
    }
}

/// A proof that a checkpoint continues an earlier one: no event up to the earlier one was changed or removed. Its serde
/// form is JSON to hand to an auditor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogProof {
    /// The earlier checkpoint.
    pub from: Checkpoint,
    /// The later checkpoint.
    pub to: Checkpoint,
    /// The hashes from which both roots are computed.
    pub consistency: ConsistencyProof,
}

impl LogProof {
    /// Whether both are checkpoints of one log, and the tree of the earlier one is the beginning of that of the later
    /// one. Does not check the checkpoints' signatures.
    #[must_use]
    pub fn verify(&self) -> bool {
        let in_order = self.from.number < self.to.number || self.from.digest() == self.to.digest();
        in_order
            && self.from.log == self.to.log
            && self.from.size > 0
            && self.consistency.from == self.from.size
            && self.consistency.to == self.to.size
            && self.consistency.verify(&self.from.root, &self.to.root)
    }
}
