//! To be written.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
#[cfg(feature = "__async")]
pub mod async_prelude;
// Each database uses its own part: with one of them alone, some of it rests.
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports, unused_macros))]
mod backend;
mod batch;
#[cfg(feature = "cli")]
pub mod cli;
mod command;
mod error;
mod event;
mod id;
pub mod migrations;
mod model;
mod operation;
pub mod prelude;
pub mod read;
mod run;
pub mod sql_types;
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports, unused_macros))]
#[expect(unreachable_pub, reason = "the hidden methods of `Dialect` name these types; users cannot")]
mod statement;
mod steps;

pub use backend::Dialect;
pub use batch::{Batch, batch};
pub use command::{Command, IntoTarget, Recorded, Recording, Target};
pub use error::{ConstraintKind, Error, RecordName};
pub use event::{Columns, Entry, Event};
/// What a model must say about itself; and the derive that says it.
pub use evented_core::Evented;
pub use evented_core::{
    Action, Attrs, Changeset, Context, Create, Digest, Drift, External, Fault, FieldChange, Fields, Invalid,
    Json, KeyKind, KeyValue, Meta, Replay as ReplayFold, Retired, State, Versions, micros, names,
};
pub use evented_derive::Evented;
pub use id::Id;
pub use model::{LogName, Model, Rows};
pub use operation::Operation;
#[cfg(feature = "__async")]
pub use run::asynchronous::RunAsync;
pub use run::blocking::Run;
