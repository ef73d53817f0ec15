//! Readings: what a log is asked for, as values that are run like commands.

mod history;
mod materialize;
mod replay;
mod table;

pub use history::History;
pub use materialize::Materialize;
pub use replay::{Replay, ReplayState};
pub use table::{LastPosition, Page, TableAt};
