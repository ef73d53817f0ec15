//! Describes models and their logs as the derives implement them, and events as users see them.

mod cascade;
mod definition;
mod derived;
mod event;
mod id;
mod link;
mod log;
mod pending_event;
mod record;
mod written;

pub use cascade::{Cascade, DeletingChildren};
pub use definition::{
    EventsOf, ItemOn, LiveOn, Model, ModelOn, ModelVisitor, RowFilter, Savable, TreeOn, WithTable, column,
    converted_column,
};
pub use derived::Derived;
pub use event::{Columns, Event};
pub use id::Id;
pub(crate) use link::{Direction, NewLink, checkpoints_table, link_table, tree_table};
pub use link::{Link, Linked, NoFields};
pub use log::{EventLog, HoldsModel, LinkShape, RecordedIn, SharedLog, shard_by_key, stable_hash};
pub use pending_event::PendingEvent;
pub use record::Record;
pub(crate) use record::table_failed;
pub use written::Written;
