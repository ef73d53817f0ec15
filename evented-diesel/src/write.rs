//! Represents commands as values, and runs them.
//!
//! Each kind of write reads, decides and writes in sequence, with the same code for every database and for blocking and
//! async connections. `evented-core` decides, [`statements`](crate::statements) builds the SQL, and
//! [`backend`](crate::backend) implements what differs between databases.

mod after_write;
mod append_event;
mod attempts;
mod batch;
mod batch_plan;
mod batch_run;
mod batch_write;
mod before_append;
mod change;
mod changeset;
mod command;
mod contended;
mod create;
mod declared;
mod delayed;
mod delete;
mod delete_children;
mod drift;
mod independent;
mod log_only;
mod many;
mod materialize;
mod options;
mod outcome;
mod publish;
mod published;
mod recorded;
mod repeated;
mod request_id;
mod row_first;
mod run_command;
mod save;
mod savepoint;
mod state_store;
mod upsert;
mod write_links;

pub(crate) use append_event::{EventContent, Head, next_event, sort_by_table};
pub(crate) use attempts::ATTEMPTS;
pub use batch::{Batch, batch};
pub(crate) use changeset::changeset;
pub use command::{Command, Recording};
pub use declared::declared_events;
pub use delayed::{
    CHUNK as DELAYED_CHUNK, CancelEvent, Delayed, PublishDue, PublishLater, cancel_event, publish_all_due,
    publish_due, publish_due_of,
};
pub use delete_children::delete_children;
pub use independent::IndependentBatch;
pub use many::{ManyChunk, ManyChunks, ManyRecords, ManyRows};
pub use materialize::Materialize;
pub(crate) use options::Options;
pub use outcome::Outcome;
pub use publish::{Publish, PublishAll, Published, publish, publish_all};
pub use recorded::Recorded;
pub use request_id::request_id;
pub use save::Save;
pub use upsert::{ConflictTarget, Upsert, UpsertCommand};
