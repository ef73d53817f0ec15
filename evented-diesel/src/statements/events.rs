//! Builds the statements that read the log.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::{NamedRow, Row};
use evented_core::{
    Digest, EventData, EventHash, ExactKind, Json, KeyKind, KeyValue, LogOffset, Meta, StoredEvent, names,
};
use uuid::Uuid;

use crate::model::Model;
use crate::sql::{EventTable, SqlTypes, Statement, field, optional, read_time};

/// The columns of an [`EventData`] in order, with the alias `e`.
macro_rules! event_data_columns {
    () => {
        "e.id, e.revision, e.action, e.version, e.payload, e.meta, e.at"
    };
}

/// The last event of a record, with the columns that a write needs.
#[derive(Debug, Clone)]
pub struct HeadRow {
    /// The revision of the event: its number in the record's history.
    pub revision: i64,
    pub(crate) version: i32,
    pub(crate) state: Digest,
    /// The hash of the event, in a log that chains its events.
    pub(crate) hash: Option<EventHash>,
    /// The transaction that orders the event.
    pub(crate) txid: i64,
}

/// Returns the columns of [`HeadRow`] in order, with the alias `e`.
pub(crate) fn head_columns(table: EventTable) -> &'static str {
    if table.hashed {
        "e.revision, e.version, e.state, e.hash, e.txid"
    } else {
        "e.revision, e.version, e.state, NULL, e.txid"
    }
}

/// The number of columns of [`HeadRow`].
pub(crate) const HEAD_WIDTH: usize = 5;

impl HeadRow {
    pub(crate) fn read<'a, DB: SqlTypes>(row: &impl Row<'a, DB>, from: usize) -> deserialize::Result<Self> {
        Ok(Self {
            revision: field(row, from, DB::read_big_int)?,
            version: field(row, from + 1, DB::read_small_int)?.into(),
            state: digest(&field(row, from + 2, DB::read_bytes)?)?,
            hash: optional(row, from + 3, DB::read_bytes)?.map(|bytes| event_hash(&bytes)).transpose()?,
            txid: field(row, from + 4, DB::read_big_int)?,
        })
    }
}

impl<DB: SqlTypes> QueryableByName<DB> for HeadRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Self::read(row, 0)
    }
}

/// Reads the last event of a record.
pub(crate) fn head_of<'q, DB: SqlTypes>(table: EventTable, record: &'q KeyValue) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(head_columns(table)).sql(" FROM ").log(table.name).sql(" e WHERE ");
    statement.of_record("e", table, record);
    statement.sql(" ORDER BY e.revision DESC LIMIT 1");
    statement
}

/// An event of a known record.
#[derive(Debug)]
pub(crate) struct EventRow(pub(crate) StoredEvent);

/// The columns of a [`StoredEvent`]: those of its [`EventData`], then its offset and the digest of its state.
pub(crate) const EVENT_COLUMNS: &str = concat!(event_data_columns!(), ", e.txid, e.position, e.state");
pub(crate) const EVENT_WIDTH: usize = EVENT_DATA_WIDTH + 3;

/// The columns of a [`ReplayedEvent`]: those of its [`EventData`], and the digest of the state, for a savepoint only.
pub(super) const REPLAYED_COLUMNS: &str =
    concat!(event_data_columns!(), ", CASE WHEN e.action = 'savepoint' THEN e.state END");
const REPLAYED_WIDTH: usize = EVENT_DATA_WIDTH + 1;

/// The columns of an [`EventData`], which are those that replay needs.
pub(crate) const EVENT_DATA_COLUMNS: &str = event_data_columns!();
pub(crate) const EVENT_DATA_WIDTH: usize = 7;

/// Reads [`EVENT_COLUMNS`].
pub(crate) fn read_event<'a, DB: SqlTypes>(row: &impl Row<'a, DB>) -> deserialize::Result<StoredEvent> {
    Ok(StoredEvent {
        data: read_event_data(row, 0)?,
        offset: read_offset(row, EVENT_DATA_WIDTH)?,
        state: digest(&field(row, EVENT_DATA_WIDTH + 2, DB::read_bytes)?)?,
    })
}

/// Reads [`EVENT_DATA_COLUMNS`], starting at the given column.
pub(crate) fn read_event_data<'a, DB: SqlTypes>(
    row: &impl Row<'a, DB>,
    from: usize,
) -> deserialize::Result<EventData> {
    Ok(EventData {
        id: field(row, from, DB::read_uuid)?,
        revision: field(row, from + 1, DB::read_big_int)?,
        action: field(row, from + 2, DB::read_text)?,
        version: field(row, from + 3, DB::read_small_int)?.into(),
        payload: Json::from_text(field(row, from + 4, DB::read_json)?),
        meta: Meta::stored(field(row, from + 5, DB::read_json)?),
        at: read_time(row, from + 6)?,
    })
}

/// Reads `txid, position`, starting at the given column.
pub(crate) fn read_offset<'a, DB: SqlTypes>(
    row: &impl Row<'a, DB>,
    from: usize,
) -> deserialize::Result<LogOffset> {
    Ok(LogOffset {
        txid: field(row, from, DB::read_big_int)?,
        position: field(row, from + 1, DB::read_big_int)?,
    })
}

impl<DB: SqlTypes> QueryableByName<DB> for EventRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        read_event(row).map(Self)
    }
}

/// An event to replay.
#[derive(Debug)]
pub(crate) struct ReplayedEvent {
    pub(crate) data: EventData,
    /// The digest of the state that the event recorded; `None` unless it is a savepoint.
    pub(crate) state: Option<Digest>,
}

impl<DB: SqlTypes> QueryableByName<DB> for ReplayedEvent {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let state = optional(row, EVENT_DATA_WIDTH, DB::read_bytes)?;
        let state = state.map(|bytes| digest(&bytes)).transpose()?;
        Ok(Self { data: read_event_data(row, 0)?, state })
    }
}

/// An event to replay, of a record of `M`.
pub(crate) struct ReplayedEventOf<M: Model> {
    pub(crate) record: KeyValue,
    pub(crate) event: ReplayedEvent,
    model: PhantomData<fn() -> M>,
}

impl<DB: SqlTypes, M: Model> QueryableByName<DB> for ReplayedEventOf<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let record = read_key(M::KEY, row, REPLAYED_WIDTH)?;
        Ok(Self { record, event: ReplayedEvent::build(row)?, model: PhantomData })
    }
}

/// Reads a record's key, of the given kind.
pub(crate) fn read_key<'a, DB: SqlTypes>(
    kind: KeyKind,
    row: &impl Row<'a, DB>,
    index: usize,
) -> deserialize::Result<KeyValue> {
    Ok(match kind.exact() {
        ExactKind::Uuid => KeyValue::Uuid(field(row, index, DB::read_uuid)?),
        ExactKind::Text => KeyValue::Text(field(row, index, DB::read_text)?),
        ExactKind::Int => KeyValue::Int(field(row, index, DB::read_int)?),
        // The log of a model whose key was an `i32` keeps keys of four bytes.
        ExactKind::BigInt => KeyValue::BigInt(match field(row, index, DB::read_big_int) {
            Ok(key) => key,
            Err(error) => field(row, index, DB::read_int).map_err(|_| error)?.into(),
        }),
    })
}

/// An event of a record of `M`.
pub(crate) struct EventOf<M: Model> {
    pub(crate) record: KeyValue,
    pub(crate) event: StoredEvent,
    model: PhantomData<fn() -> M>,
}

impl<DB: SqlTypes, M: Model> QueryableByName<DB> for EventOf<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self { record: read_key(M::KEY, row, EVENT_WIDTH)?, event: read_event(row)?, model: PhantomData })
    }
}

/// The record of an event of `M`.
#[derive(Debug)]
pub(crate) struct RecordOf<M> {
    pub(crate) key: KeyValue,
    model: PhantomData<fn() -> M>,
}

impl<DB: SqlTypes, M: Model> QueryableByName<DB> for RecordOf<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self { key: read_key(M::KEY, row, 0)?, model: PhantomData })
    }
}

/// The part of a history to replay.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Until {
    /// Up to and including this revision.
    pub revision: Option<i64>,
    /// Up to and including this position in the log.
    pub position: Option<i64>,
    /// Up to the last revision such that it and every earlier one are at or before this time.
    pub time: Option<DateTime<Utc>>,
}

/// Reads a record's events up to a limit, oldest first: all of them, or from the last savepoint on.
pub(crate) fn history<'q, DB: SqlTypes>(
    table: EventTable,
    record: &'q KeyValue,
    until: Until,
    from_savepoint: bool,
) -> Statement<'q, DB> {
    select_history(EVENT_COLUMNS, table, record, until, from_savepoint)
}

/// Like [`history`], with the columns of a [`ReplayedEvent`].
pub(crate) fn history_to_replay<'q, DB: SqlTypes>(
    table: EventTable,
    record: &'q KeyValue,
    until: Until,
    from_savepoint: bool,
) -> Statement<'q, DB> {
    select_history(REPLAYED_COLUMNS, table, record, until, from_savepoint)
}

fn select_history<'q, DB: SqlTypes>(
    columns: &'static str,
    table: EventTable,
    record: &'q KeyValue,
    until: Until,
    from_savepoint: bool,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(columns).sql(" FROM ").log(table.name).sql(" e WHERE ");
    statement.of_record("e", table, record);
    push_until(&mut statement, "e", table, record, until);
    if from_savepoint {
        statement.sql(" AND e.revision >= COALESCE((SELECT s.revision FROM ").log(table.name);
        // The action is a literal, not a bind: only then does the planner use the partial index.
        statement.sql(" s WHERE s.action = 'savepoint' AND ").of_record("s", table, record);
        push_until(&mut statement, "s", table, record, until);
        statement.sql(" ORDER BY s.revision DESC LIMIT 1), 0)");
    }
    statement.sql(" ORDER BY e.revision");
    statement
}

fn push_until<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    alias: &'static str,
    table: EventTable,
    record: &'q KeyValue,
    until: Until,
) {
    if let Some(revision) = until.revision {
        statement.sql(" AND ").sql(alias).sql(".revision <= ").value(revision);
    }
    if let Some(position) = until.position {
        statement.sql(" AND ").sql(alias).sql(".position <= ").value(position);
    }
    if let Some(time) = until.time {
        // Every revision up to the last one must be early enough, because a clock may have run backwards.
        statement.sql(" AND ").sql(alias).sql(".revision < COALESCE((SELECT min(l.revision) FROM ");
        statement.log(table.name).sql(" l WHERE ").of_record("l", table, record);
        statement.sql(" AND l.at > ").value(time);
        statement.sql("), 9223372036854775807)");
    }
}

/// Reads one event by the id that the caller chose for it; only among the events of one record, if that is known.
pub(crate) fn event_by_id<'q, DB: SqlTypes>(
    table: EventTable,
    id: Uuid,
    record: Option<&'q KeyValue>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement
        .sql(EVENT_COLUMNS)
        .sql(", e.record_id FROM ")
        .log(table.name)
        .sql(" e WHERE e.id = ")
        .value(id)
        .sql(" AND e.given_id");
    match record {
        Some(record) => statement.sql(" AND ").of_record("e", table, record),
        None => statement.and_schema("e", table),
    };
    statement.sql(" LIMIT 1");
    statement
}

/// Reads the last position of a log.
pub(crate) fn last_position<'q, DB: SqlTypes>(table: EventTable) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT max(e.position) FROM ");
    statement.log(table.name).sql(" e");
    statement
}

/// The result of [`last_position`].
pub(crate) struct LastPositionRow(pub(crate) Option<i64>);

impl<DB: SqlTypes> QueryableByName<DB> for LastPositionRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        optional(row, 0, DB::read_big_int).map(Self)
    }
}

/// Reads a page of a whole log up to a position, record by record, starting after an event.
pub(crate) fn page<'q, DB: SqlTypes>(
    table: EventTable,
    position: i64,
    after: Option<(&'q KeyValue, i64)>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(REPLAYED_COLUMNS).sql(", e.record_id FROM ").log(table.name);
    statement.sql(" e WHERE e.position <= ").value(position).and_schema("e", table);
    push_after(&mut statement, after, limit);
    statement
}

/// Reads a page of a whole log with all columns of the events, record by record, starting after an event.
pub(crate) fn page_of_all<'q, DB: SqlTypes>(
    table: EventTable,
    after: Option<(&'q KeyValue, i64)>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(EVENT_COLUMNS).sql(", e.record_id FROM ").log(table.name).sql(" e WHERE 1 = 1");
    statement.and_schema("e", table);
    push_after(&mut statement, after, limit);
    statement
}

fn push_after<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    after: Option<(&'q KeyValue, i64)>,
    limit: i64,
) {
    if let Some((record, revision)) = after {
        statement.sql(" AND (e.record_id, e.revision) > (").value(record).sql(", ").value(revision).sql(")");
    }
    statement.sql(" ORDER BY e.record_id, e.revision LIMIT ").value(limit);
}

pub(crate) fn event_hash(bytes: &[u8]) -> deserialize::Result<EventHash> {
    EventHash::from_slice(bytes).ok_or_else(|| format!("a hash has {} bytes", bytes.len()).into())
}

pub(crate) fn digest(bytes: &[u8]) -> deserialize::Result<Digest> {
    Digest::from_slice(bytes).ok_or_else(|| format!("a digest has {} bytes", bytes.len()).into())
}

// The SQL above contains this name as a literal.
const _: () = assert!(matches!(names::SAVEPOINT.as_bytes(), b"savepoint"));
