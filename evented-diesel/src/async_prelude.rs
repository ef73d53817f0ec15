//! For async connections: `use evented_diesel::async_prelude::*;`.
//!
//! As the [`prelude`](crate::prelude), with `.run(&mut conn).await` of diesel-async's connections. Import one of the
//! two.

pub use crate::{Action, Context, Create, Event, EventLog, Evented, Id, Invalid, RunAsync as _, batch};
