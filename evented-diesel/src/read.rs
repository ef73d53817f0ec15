//! Readings: what a log is asked for, as values that are run like commands.
//!
//! They read the log alone, and not the model's table; [`Materialize`] alone looks at it and writes it. The derive
//! makes a method of the model for each: `Item::replay(id)` is [`Replay::new`].

mod history;
mod materialize;
mod replay;
mod table;

pub use history::History;
pub use materialize::Materialize;
pub use replay::{Replay, ReplayState};
pub use table::{LastPosition, Page, TableAt};
