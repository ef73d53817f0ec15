//! The model of evented records, without a database.
//!
//! This crate holds everything that *decides*: what an action is and what it does to a record, how a history of
//! events becomes a state, how payloads of older schema versions are brought up to date, and how a state is
//! digested so that log and row can be held against each other. It knows no database, no clock and no runtime.
//!
//! Users depend on `evented-diesel`, which re-exports what they need. Nothing here is meant to be used alone but
//! by another database layer.
//!
//! | to find | look in |
//! |---|---|
//! | what a model must say | [`Evented`] (written by `#[derive(Evented)]`) |
//! | what a user writes for an action | [`Action`], [`Create`], [`Invalid`] |
//! | events and their payloads | [`StoredEvent`], [`EventBody`], [`Attrs`], [`External`] |
//! | history to state | [`Replay`] |
//! | what differs between two states | [`Changeset`] |
//! | digests of states | [`Digest`] |
//! | what a listener is told | [`Change`], [`Position`], [`Scope`] |
//! | hashes of events, and of parts of a log | [`Chained`], [`EventHash`], [`RootBuilder`] |

mod action;
mod attrs;
mod chain;
mod change;
mod changeset;
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
mod meta;
mod normal;
mod optional;
mod position;
mod replay;
mod scope;

pub use action::{Action, ActionOf, Create};
pub use attrs::{Attrs, Versions};
pub use chain::{Chained, EventHash, Leaf, NotAHash, Root, RootBuilder};
pub use change::{Change, ChangeEvent, ChangeKind, Fact, Moment, Transaction};
pub use changeset::{Changeset, FieldChange};
pub use command::{AnyAction, Decision, Undecided, decide_again, decide_change, decide_create};
pub use context::Context;
pub use digest::{Digest, FieldDigests, StateDigester, Unstorable};
pub use event::{EventBody, Payload, PayloadError, Retired, Step, StoredEvent, names};
pub use evented::{Drift, Evented};
pub use external::External;
pub use fields::{FieldError, Fields};
pub use invalid::{Fault, Invalid};
pub use json::Json;
pub use key::{KeyKind, KeyValue};
pub use meta::Meta;
pub use normal::{AsStored, Normal, micros};
pub use optional::present;
pub use position::{NotAPosition, Position, StreamId};
pub use replay::{Replay, ReplayError, ReplayFault, State, next_state};
pub use scope::{IntoScope, Scope, ScopeKey, ScopeKeys, ScopeName, ScopePart, ScopeValue};
