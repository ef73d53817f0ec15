//! Manages what a reader of PostgreSQL's write-ahead log needs on the server: publications, slots, and checks of both.
//!
//! The functions return operations: values that run on any connection to PostgreSQL, blocking or async. The reader
//! itself is the crate `evented-wal`; [`Hub::on_wal`](crate::Hub::on_wal) reads evented models.

mod check;
mod current_lsn;
mod mark;
mod model_columns;
pub(crate) mod positions;
mod publication;
mod slot;
mod tables;
mod texts;

pub use check::{Check, Problem, check};
pub use current_lsn::{ReadPosition, position};
pub use evented_wal::{PublishedInPart, RequiredTable, TableName};
pub use mark::{Mark, mark};
#[doc(hidden)]
pub use mark::{mark_of, plain_mark_of};
pub use model_columns::ModelColumns;
#[doc(hidden)]
pub use positions::wal_stream;
pub use publication::{CreatePublication, DropPublication, create_publication, drop_publication};
pub use slot::{
    CreateSlot, Created, DropSlot, ReadSlotStatus, SlotHealth, SlotStatus, create_slot, drop_slot,
    slot_status,
};
pub use tables::{log_tables_of, required_logs_of, required_table_of, table_of, tables_of, tables_of_all};
