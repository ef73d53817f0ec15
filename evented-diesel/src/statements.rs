//! Builds the statements about rows and logs, with the types of their results: one function for each. Nothing here runs
//! a statement.

mod append;
mod checkpoint_rows;
mod conditions;
mod events;
mod key_columns;
mod last_events;
mod links;
mod live_rows;
mod log_checks;
mod log_stream;
mod log_tables;
mod many_rows;
mod matching_rows;
mod references;
mod row_lock;
mod rows;
mod rows_like;
mod table_scan;
mod text_row;

pub use append::{Append, Guard, Inserted, Removed, Written};
pub(crate) use append::{
    Appended, InsertedRow, Source, WrittenRow, append, append_columns, by_bus, push_append_values,
    push_ordering_txid, push_ordering_txid_after, push_published, push_returned_for_publishing,
    read_written_offset,
};
pub(crate) use checkpoint_rows::{
    CheckpointRow, EventCounts, LeafRow, NODE_BINDS, NodeEnd, NodeRow, Range, block, block_before,
    checkpoints, count_events, leaf_at, leaves, nodes_of, not_begun, write_checkpoint, write_nodes,
};
pub use conditions::{IsRecord, IsRow, JoinOf, push_is_row};
pub(crate) use events::{
    EventOf, EventRow, HEAD_WIDTH, LastPositionRow, RecordOf, ReplayedEvent, ReplayedEventOf, event_by_id,
    head_of, history, history_to_replay, last_position, page, page_of_all,
};
pub use events::{HeadRow, Until};
pub(crate) use key_columns::{TableKey, push_is_record, push_record_of};
pub(crate) use last_events::{LastEventOf, events_of_records, last_events_after, last_events_of};
pub(crate) use links::{LinkedRow, link, linked};
pub(crate) use live_rows::{live_children, live_rows};
pub use log_checks::Number;
pub(crate) use log_checks::{
    ChainEvent, ChainKey, ChainRow, EventHashes, NameRow, chain_page, hashes_of, horizon, name_at,
};
pub(crate) use log_stream::{
    BigIntKeys, EventId, FinalEvent, HistoryRow, IntKeys, LastOffset, LoggedRow, OffsetRow, TextKeys,
    UuidKeys, event_at, final_event, histories, history_slice, last_offset, next_offset, positions_from,
    stream_page,
};
pub use log_stream::{BlockingSession, CommitMark, HistoryEvent, LoggedEvent};
pub(crate) use log_tables::{format_of, lock_upgrades, table_exists, touch_formats};
pub(crate) use many_rows::{
    LARGEST_PORTION, current_rows, insert_from, insert_many, insert_many_plain, key_portions, lock_rows,
    portions, push_update, remove_many, remove_many_plain, rows_of, update_from, update_many,
};
pub(crate) use matching_rows::{MatchingRow, matching_rows};
pub(crate) use references::refers_to;
pub use row_lock::RowLock;
pub(crate) use rows::{
    Current, RecordRow, columns_to_write, current, insert_row, insert_with_defaults, overwrite_row,
    push_insert_columns, push_insert_values, push_set, remove_row, row_of, set_row,
};
pub(crate) use rows_like::{Likeness, current_like, record_like};
pub(crate) use table_scan::{ColumnNames, Unlogged, column_names, count_without_events, rows_without_events};
pub(crate) use text_row::TextRow;
