//! For blocking connections: `use evented_diesel::prelude::*;`.
//!
//! It brings what most modules need: the derive, [`Action`] and its parts, [`Event`], [`Id`], [`batch`], and `.run(&mut
//! conn)` on commands and readings. Import this one or the `async_prelude`, not both: their `run` has the same name.

pub use crate::{Action, Context, Create, Event, EventLog, Evented, Id, Invalid, Run as _, batch};
