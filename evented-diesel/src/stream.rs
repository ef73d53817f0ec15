//! Reads a log as a stream of changes, in an order in which no change arrives late.
//!
//! [`LogReader`] reads the changes of a model page by page. [`ReadPoint`] connects rows that were read in a transaction
//! with the changes after them, without gap or overlap. The crate `evented-feed` delivers the same changes to many
//! subscribers.
//!
//! On PostgreSQL an event gets its number before its transaction commits, so numbers do not become visible in order. A
//! reader reads a log in the order of (transaction, number), and only below the oldest transaction that is still open.
//! So no event can appear at a position that the reader has passed. A transaction that stays open delays later changes,
//! but no change is lost. SQLite allows one writer at a time, so the number alone gives this order.

mod apply_page;
mod bus_events;
mod consumer;
mod delivery;
mod histories;
mod log_pages;
mod log_reader;
mod model_stream;
mod positions;
mod read_point;
mod source_log;
mod state_cache;

pub use apply_page::{Cursor, apply_page};
pub use bus_events::{PublishedEvents, published};
pub use consumer::{Consumer, PageConsumer, Sink};
pub use delivery::{Delivery, Interruption, Unreadable};
pub use evented_core::{Change, ChangeEvent, ChangeKind, NotAPosition, Position, StreamId, Transaction};
pub use histories::{LoadedHistory, LongHistories, WantedHistories};
pub use log_pages::{LogPage, UnreadableRow, commit_mark, read_page};
pub use log_reader::{ChangePage, LogReader, ReadPage};
pub use model_stream::{DEFAULT_STATE_CACHE_SIZE, ModelStream};
pub use positions::{
    anchor_of, check_log, check_position, database_id, last_final, last_offsets, log_offset, log_position,
    marker, start_of_now,
};
pub use read_point::{ReadPoint, TakeReadPoint};
pub use source_log::SourceLog;
pub use state_cache::catch_panic;
