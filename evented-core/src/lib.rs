//! The model of evented records, without a database.
//!
//! This crate holds everything that *decides*: what an action is and what it does to a record, how a history of
//! events becomes a state, how a payload of an older schema version is converted to the current one, and how a state
//! is digested so that a row can be compared with the log. It uses no database, no clock and no async runtime.
//!
//! Applications depend on `evented-diesel`, which re-exports what they need. Only another database layer depends on
//! this crate directly.
//!
//! | to find | look in |
//! |---|---|
//! | what a model declares | [`Evented`] (implemented by `#[derive(Evented)]`) |
//! | what a user writes for an action | [`Action`], [`Create`], [`ValidationErrors`] |
//! | events and their payloads | [`StoredEvent`], [`EventBody`], [`RawPayload`], [`External`] |
//! | replay of a history into a state | [`Replay`] |
//! | the difference between two states | [`Changeset`] |
//! | digests of states | [`Digest`] |
//! | what a subscriber receives | [`Change`], [`Position`], [`Scope`] |
//! | hashes of events | [`Chained`], [`EventHash`] |
//! | live queries, and the rows that they have | [`live`] |
//! | the tree over a log, its checkpoints and proofs | [`Frontier`], [`Checkpoint`], [`InclusionProof`] |

mod action;
mod attrs;
mod chain;
mod change;
mod changeset;
mod channel;
mod checkpoint;
mod command;
mod context;
mod digest;
mod event;
mod evented;
mod external;
mod fields;
mod invalid;
mod json;
mod key;
mod kinds;
pub mod live;
mod meta;
mod nested;
mod never;
mod normal;
mod optional;
mod policy;
mod position;
mod record_ref;
mod replay;
mod scope;
mod sha256;
mod tree;

pub use action::{Action, ActionOf, Create};
pub use attrs::{RawPayload, VersionSet};
pub use chain::{Chained, EventHash, NotAHash, TreeHash};
pub use change::{Change, ChangeEvent, ChangeKind, RawChange, RecordState, Transaction};
pub use changeset::{Changeset, FieldChange};
pub use channel::{Channel, ChannelTarget};
#[doc(hidden)]
pub use checkpoint::CheckpointParts;
pub use checkpoint::{
    Checkpoint, EventProof, HmacKey, LogProof, Signature, SignatureFault, Signer, Verifier,
};
#[cfg(feature = "ed25519")]
pub use checkpoint::{Ed25519Signer, Ed25519Verifier};
pub use command::{AnyAction, Decision, Undecided, decide_again, decide_change, decide_create};
pub use context::Context;
#[doc(hidden)]
pub use digest::hash_of_parts;
pub use digest::{Commitment, Digest, FieldDigests, StateDigester, Unstorable};
pub use event::{EventBody, EventData, LogOffset, Payload, PayloadError, Retired, Step, StoredEvent, names};
pub use evented::{Drift, Evented};
pub use external::External;
pub use fields::{FieldError, Fields};
pub use invalid::{ValidationError, ValidationErrors};
pub use json::{Json, JsonError};
#[doc(hidden)]
pub use key::{ExactKey, ExactKind, ExactPart, ExactPartKind};
pub use key::{KeyKind, KeyPart, KeyPartKind, KeyPrimitive, KeySource, KeyValue, key_parts, key_text};
pub use kinds::Kinds;
pub use meta::Meta;
pub use nested::{Nested, NestedUpdate};
pub use never::Never;
pub use normal::{AsStored, Normal, micros};
pub use optional::present;
pub use policy::{Denied, Policy};
pub use position::{NotAPosition, Position, StreamId};
pub use record_ref::{IntoRecordRef, RecordRef};
pub use replay::{Replay, ReplayError, ReplayFault, State, next_state};
pub use scope::{IntoScope, Scope, ScopeKey, ScopeKeys, ScopeName, ScopePart, ScopeValue};
pub use tree::{ConsistencyProof, Frontier, InclusionProof, Leaf, NodeGroup, ProofPlan, StoredNode, WIDTH};
