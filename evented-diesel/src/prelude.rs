//! For blocking connections: `use evented_diesel::prelude::*;`.

pub use crate::{Action, Context, Create, Event, Evented, Id, Invalid, Run as _, batch};
