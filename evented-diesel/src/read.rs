//! Defines read queries on a log, as values that run like commands.
//!
//! A read query uses only the log, not the model's table. `#[derive(Evented)]` adds a method to the model for each:
//! `Item::replay(id)` is [`Replay::new`].

mod entry;
mod history;
mod linked;
pub(crate) mod live;
pub(crate) mod load;
mod replay;
mod source_change;
mod table_at;

pub use entry::Entry;
pub use history::History;
pub use linked::LinkedEvents;
pub use replay::{Replay, ReplayState};
pub use source_change::SourceChange;
pub use table_at::{LastPosition, Page, TableAt};
