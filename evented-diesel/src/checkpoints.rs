//! Checkpoints of a hashed log: the root of one tree over the whole log, at one moment after the other.
//!
//! A chain shows that an event of a record was changed. A checkpoint also shows that events were removed, added or
//! renumbered anywhere before it. The tree is that of RFC 6962, so witnesses of transparency logs can hold its roots.
//! What is proved about the tree is in `evented_core`; here is what reads the log.

mod checkpoint_proofs;
mod checkpoint_report;
mod checkpointed;
mod leaf_reader;
mod make_checkpoint;
mod stored_checkpoints;
mod verify_checkpoints;

pub use checkpoint_proofs::{ProveConsistency, ProveInclusion};
pub use checkpoint_report::{CheckpointFinding, CheckpointIssue, CheckpointReport};
pub use checkpointed::Checkpointed;
pub use make_checkpoint::MakeCheckpoint;
pub use stored_checkpoints::Checkpoints;
pub use verify_checkpoints::VerifyCheckpoints;

pub use evented_core::{Checkpoint, EventProof, HmacKey, LogProof, SignatureFault, Signer, Verifier};
#[cfg(feature = "ed25519")]
pub use evented_core::{Ed25519Signer, Ed25519Verifier};
