//! Imports what most modules need for async connections: `use evented_diesel::async_prelude::*;`.
//!
//! It contains the same items as the [`prelude`](crate::prelude), with `.run(&mut conn).await` on connections of
//! diesel-async. Import only one of the two.

pub use crate::checkpoints::Checkpointed as _;
pub use crate::dsl::{EventedDsl, EventedTableDsl};
pub use crate::exec::RunAsync as _;
pub use crate::verify::LogChecks as _;
pub use crate::{Action, Context, Create, EventLog, Evented, Id, ValidationErrors, batch};
