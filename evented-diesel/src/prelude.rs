//! Imports what most modules need for blocking connections: `use evented_diesel::prelude::*;`.
//!
//! It contains the derive, [`Action`] and its parts, [`Id`], [`batch`], the methods of models
//! ([`EventedDsl`]), and `.run(&mut conn)` on commands and read queries. Import this module or `async_prelude`, not both: their `run` methods have the same name.

pub use crate::checkpoints::Checkpointed as _;
pub use crate::dsl::{EventedDsl, EventedTableDsl};
pub use crate::exec::Run as _;
pub use crate::verify::LogChecks as _;
pub use crate::{Action, Context, Create, EventLog, Evented, Id, ValidationErrors, batch};
