//! For async connections: `use evented_diesel::async_prelude::*;`.

pub use crate::{Action, Context, Create, Event, Evented, Id, Invalid, RunAsync as _, batch};
