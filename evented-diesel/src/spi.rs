//! Exports internals to the other evented crates. It is exempt from semantic versioning: those crates pin this version
//! with `=`.

pub use crate::backend::EventedBackend;
pub use crate::domain::{decode_event, key_text};
#[cfg(feature = "__async")]
pub use crate::exec::AsyncExecutor;
pub use crate::exec::{
    BlockingExecutor, Executor, Operation, Transaction, on_commit_hint, ready, sealed, wake,
};
pub use crate::model::{ModelVisitor, Record, stable_hash};
pub use crate::read::live::{LiveFill, MOST_HIDDEN, live_fill, live_records, live_siblings};
pub use crate::read::load::{events as load_events, head as load_head, replay as load_replay};
pub use crate::sql::{
    BindColumns, Database, KeyList, LogName, NamedTable, SqlTypes, Statement, Text, Value, optional,
};
pub use crate::statements::{BlockingSession, CommitMark, HeadRow, HistoryEvent, LoggedEvent, Number, Until};
pub use crate::stream::{
    Consumer, Cursor, DEFAULT_STATE_CACHE_SIZE, Delivery, LoadedHistory, LogPage, LongHistories, ModelStream,
    PageConsumer, Sink, SourceLog, UnreadableRow, WantedHistories, anchor_of, apply_page, catch_panic,
    check_log, check_position, commit_mark, database_id, last_final, last_offsets, log_offset, log_position,
    marker, read_page, start_of_now,
};
pub use crate::write::{DELAYED_CHUNK, declared_events, publish_all_due, publish_due_of};
