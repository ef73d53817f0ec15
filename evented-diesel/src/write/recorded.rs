//! Defines the result of a command together with its event.

use evented_core::{LogOffset, Position};
use uuid::Uuid;

use crate::model::{EventLog, Model};

/// The result of a command, with the id, revision and position of its event. See
/// [`Command::recorded`](crate::Command::recorded).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Recorded<M> {
    /// The record as the database stores it now; for a delete, as it was before.
    pub record: M,
    /// The id of the event.
    pub event_id: Uuid,
    /// The revision of the event: its number in the record's history, starting at 1.
    pub revision: i64,
    pub(crate) offset: LogOffset,
}

impl<M: Model> Recorded<M> {
    /// Returns the position of the event in the stream of its log's changes. A hub in this process or in another one
    /// can wait for it: `hub.wait_for(recorded.position())`.
    #[must_use]
    pub fn position(&self) -> Position {
        let LogOffset { txid, position } = self.offset;
        Position::new(M::Log::NAME.stream(), txid.cast_unsigned(), position.cast_unsigned())
    }

    /// Returns the offset of the event in its log: transaction and position.
    #[must_use]
    pub fn offset(&self) -> LogOffset {
        self.offset
    }

    /// Returns the number of the event in its log, as [`Event::log_position`](crate::Event::log_position) does.
    #[must_use]
    pub fn log_position(&self) -> i64 {
        self.offset.position
    }

    /// Returns the id of the transaction that orders the event; 0 on SQLite, which does not number transactions.
    #[must_use]
    pub fn txid(&self) -> i64 {
        self.offset.txid
    }
}
