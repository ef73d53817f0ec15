//! Builds the statements that read a log as a stream, in the order in which its events became final.

use std::marker::PhantomData;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{Digest, EventData, KeyKind, KeyValue, LogOffset};
use uuid::Uuid;

use crate::sql::{LogName, SqlTypes, Statement, field, optional};
use crate::statements::append::read_written_offset;
use crate::statements::events::{
    EVENT_DATA_COLUMNS, EVENT_DATA_WIDTH, digest, read_event_data, read_key, read_offset,
};

/// An event in the stream of a log, whatever its model.
#[derive(Debug)]
pub struct LoggedEvent {
    /// The model's name in the log; `None` if the log belongs to one model.
    pub schema: Option<String>,
    /// The record's key.
    pub record: KeyValue,
    /// The offset of the event in the log.
    pub offset: LogOffset,
    /// The content of the event.
    pub data: EventData,
}

/// The kind of a log's keys as a type, because rows are read without any other context.
pub(crate) trait Keys: Send + 'static {
    const KIND: KeyKind;
}

/// Implements [`Keys`] for each kind.
macro_rules! keys {
    ($($name:ident = $kind:ident),*) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;
        impl Keys for $name {
            const KIND: KeyKind = KeyKind::$kind;
        }
    )*};
}
keys!(UuidKeys = Uuid, TextKeys = Text, IntKeys = Int, BigIntKeys = BigInt);

/// An event of a log whose keys are of one kind.
pub(crate) struct LoggedRow<K>(pub(crate) LoggedEvent, PhantomData<fn() -> K>);

impl<DB: SqlTypes, K: Keys> QueryableByName<DB> for LoggedRow<K> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let event = LoggedEvent {
            data: read_event_data(row, 0)?,
            record: read_key(K::KIND, row, EVENT_DATA_WIDTH)?,
            schema: optional(row, EVENT_DATA_WIDTH + 1, DB::read_text)?,
            offset: read_offset(row, EVENT_DATA_WIDTH + 2)?,
        };
        Ok(Self(event, PhantomData))
    }
}

/// Adds the first columns of an event in the stream: its data, its record and its model.
fn push_columns<DB: SqlTypes>(statement: &mut Statement<'_, DB>, shared: bool) {
    statement.sql(EVENT_DATA_COLUMNS).sql(", e.record_id, ").sql(if shared { "e.schema" } else { "NULL" });
}

/// Reads the next events of a log after an offset, of transactions before `before_txid`.
pub(crate) fn stream_page<'q, DB: SqlTypes>(
    log: LogName,
    shared: bool,
    after: LogOffset,
    before_txid: Option<i64>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    push_columns(&mut statement, shared);
    statement.sql(", e.txid, e.position FROM ").log(log);
    behind(&mut statement, after, before_txid, limit);
    statement
}

/// Reads the offset and, if possible, the model of the next event after an offset, for an event that cannot be read.
pub(crate) fn next_offset<'q, DB: SqlTypes>(
    log: LogName,
    shared: bool,
    after: LogOffset,
    before_txid: Option<i64>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT CAST(e.txid AS BIGINT), CAST(e.position AS BIGINT), ");
    statement.sql(if shared { "CAST(e.schema AS TEXT) FROM " } else { "NULL FROM " });
    statement.log(log);
    behind(&mut statement, after, before_txid, 1);
    statement
}

/// An offset in a log, and the model of the event there.
pub(crate) struct OffsetRow(pub(crate) LogOffset, pub(crate) Option<String>);

impl<DB: SqlTypes> QueryableByName<DB> for OffsetRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self(read_offset(row, 0)?, optional(row, 2, DB::read_text)?))
    }
}

/// Adds the condition, order and limit for the events of a log after an offset, of transactions before `before_txid`.
fn behind<DB: SqlTypes>(
    statement: &mut Statement<'_, DB>,
    after: LogOffset,
    before_txid: Option<i64>,
    limit: i64,
) {
    statement.sql(" e WHERE ");
    if DB::NUMBERS_TRANSACTIONS {
        statement.sql("(e.txid, e.position) > (").value(after.txid).sql(", ").value(after.position).sql(")");
    } else {
        statement.sql("e.position > ").value(after.position);
    }
    if let Some(txid) = before_txid {
        statement.sql(" AND e.txid < ").value(txid);
    }
    let order = if DB::NUMBERS_TRANSACTIONS { "e.txid, e.position" } else { "e.position" };
    statement.sql(" ORDER BY ").sql(order).sql(" LIMIT ").value(limit);
}

/// A mark of the commits so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMark {
    /// The first transaction that has not ended; `None` on SQLite, which allows one writer at a time.
    pub oldest_running: Option<i64>,
    /// The first transaction that has not begun; `None` on SQLite.
    pub next: Option<i64>,
    /// A text that differs from that of another mark if anything was committed between the two.
    pub(crate) text: String,
}

impl<DB: SqlTypes> QueryableByName<DB> for CommitMark {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            oldest_running: optional(row, 0, DB::read_big_int)?,
            next: optional(row, 1, DB::read_big_int)?,
            text: field(row, 2, DB::read_text)?,
        })
    }
}

/// The result of [`last_offset`].
pub(crate) struct LastOffset(pub(crate) Option<LogOffset>);

impl<DB: SqlTypes> QueryableByName<DB> for LastOffset {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        read_written_offset(row).map(Self)
    }
}

/// Reads the last offset of a log, in the order of its stream.
pub(crate) fn last_offset<'q, DB: SqlTypes>(log: LogName) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.txid, e.position FROM ");
    statement.log(log).sql(" e ORDER BY ");
    statement.sql(if DB::NUMBERS_TRANSACTIONS { "e.txid DESC, e.position DESC" } else { "e.position DESC" });
    statement.sql(" LIMIT 1");
    statement
}

/// The result of [`final_event`].
pub(crate) struct FinalEvent(pub(crate) LogOffset, pub(crate) Uuid);

impl<DB: SqlTypes> QueryableByName<DB> for FinalEvent {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self(read_offset(row, 0)?, field(row, 2, DB::read_uuid)?))
    }
}

/// Reads the last event of a log that belongs to a transaction before `before_txid`.
pub(crate) fn final_event<'q, DB: SqlTypes>(log: LogName, before_txid: Option<i64>) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.txid, e.position, e.id FROM ");
    statement.log(log).sql(" e");
    if let Some(txid) = before_txid {
        statement.sql(" WHERE e.txid < ").value(txid);
    }
    statement.sql(" ORDER BY ");
    statement.sql(if DB::NUMBERS_TRANSACTIONS { "e.txid DESC, e.position DESC" } else { "e.position DESC" });
    statement.sql(" LIMIT 1");
    statement
}

/// Reads the id of the event at an offset.
pub(crate) fn event_at<'q, DB: SqlTypes>(log: LogName, at: LogOffset) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.id FROM ");
    statement.log(log).sql(" e WHERE e.txid = ").value(at.txid).sql(" AND e.position = ").value(at.position);
    statement
}

/// The result of [`event_at`].
pub(crate) struct EventId(pub(crate) Uuid);

impl<DB: SqlTypes> QueryableByName<DB> for EventId {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        field(row, 0, DB::read_uuid).map(Self)
    }
}

/// The session that has kept a transaction open longest, which delays the readers of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockingSession {
    /// The process of the session; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The `application_name` of the session, or the name of the prepared transaction.
    pub name: String,
    /// The user of the session, or the owner of the prepared transaction.
    pub user: String,
    /// The database of the session.
    pub database: String,
    /// The state in `pg_stat_activity`, or `prepared` for a prepared transaction.
    pub state: String,
    /// The time when the transaction began, or was prepared.
    pub since: Option<DateTime<Utc>>,
}

impl<DB: SqlTypes> QueryableByName<DB> for BlockingSession {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let text = |index| optional(row, index, DB::read_text).map(Option::unwrap_or_default);
        Ok(Self {
            pid: optional(row, 0, DB::read_int)?,
            name: text(1)?,
            user: text(2)?,
            database: text(3)?,
            state: text(4)?,
            since: optional(row, 5, DB::read_time)?,
        })
    }
}

/// An event of a history, with the digest of its state, which verifies a savepoint.
pub(crate) struct HistoryRow<K> {
    pub(crate) record: KeyValue,
    pub(crate) event: HistoryEvent,
    keys: PhantomData<fn() -> K>,
}

/// An event of a history.
#[derive(Debug)]
pub struct HistoryEvent {
    /// The content of the event.
    pub data: EventData,
    /// The digest of the state after the event.
    pub state: Digest,
}

impl<DB: SqlTypes, K: Keys> QueryableByName<DB> for HistoryRow<K> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let state = digest(&field(row, EVENT_DATA_WIDTH + 2, DB::read_bytes)?)?;
        Ok(Self {
            record: read_key(K::KIND, row, EVENT_DATA_WIDTH)?,
            event: HistoryEvent { data: read_event_data(row, 0)?, state },
            keys: PhantomData,
        })
    }
}

/// Reads the events of a record with these revisions, oldest first, and at most `limit` of them.
pub(crate) fn history_slice<'q, DB: SqlTypes>(
    table: LogName,
    schema: Option<&'q str>,
    record: &'q KeyValue,
    revisions: RangeInclusive<i64>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    push_columns(&mut statement, schema.is_some());
    statement.sql(", e.state FROM ").log(table).sql(" e WHERE e.record_id = ").value(record);
    if let Some(schema) = schema {
        statement.sql(" AND e.schema = ").value(schema);
    }
    statement.sql(" AND e.revision >= ").value(*revisions.start());
    statement.sql(" AND e.revision <= ").value(*revisions.end());
    statement.sql(" ORDER BY e.revision LIMIT ").value(limit);
    statement
}

/// Reads the events of several records of a log's table, each from its last savepoint on and up to a revision, oldest
/// first, and at most `limit` of them.
pub(crate) fn histories<'q, DB: SqlTypes>(
    table: LogName,
    schema: Option<&'q str>,
    wanted: &'q [(KeyValue, i64)],
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    push_columns(&mut statement, schema.is_some());
    statement.sql(", e.state FROM ").log(table).sql(" e WHERE (");
    for (index, (record, revision)) in wanted.iter().enumerate() {
        statement.sql(if index == 0 { "(" } else { " OR (" });
        statement.sql("e.record_id = ").value(record);
        if let Some(schema) = schema {
            statement.sql(" AND e.schema = ").value(schema);
        }
        statement.sql(" AND e.revision <= ").value(*revision);
        statement.sql(" AND e.revision >= COALESCE((SELECT max(s.revision) FROM ").log(table);
        statement.sql(" s WHERE s.action = 'savepoint' AND s.record_id = ").value(record);
        if let Some(schema) = schema {
            statement.sql(" AND s.schema = ").value(schema);
        }
        statement.sql(" AND s.revision <= ").value(*revision);
        statement.sql("), 0))");
    }
    statement.sql(") ORDER BY e.record_id, e.revision LIMIT ").value(limit);
    statement
}

/// Reads the positions of the events of transactions from `txid` on.
pub(crate) fn positions_from<'q, DB: SqlTypes>(log: LogName, txid: i64) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.position FROM ");
    statement.log(log).sql(" e WHERE e.txid >= ").value(txid);
    statement
}
