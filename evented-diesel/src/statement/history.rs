//! Statements that read the log.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, QueryableByName};
use diesel::row::{Field, NamedRow, Row};
use evented_core::{Digest, EventHash, Json, KeyKind, KeyValue, StoredEvent, names};
use uuid::Uuid;

use super::Statement;
use crate::backend::Dialect;
use crate::log::Place;
use crate::model::Model;

/// The last event of a record, as far as a write must know it.
#[derive(Debug, Clone)]
pub struct HeadRow {
    pub(crate) revision: i64,
    pub(crate) version: i32,
    pub(crate) state: Digest,
    /// Its hash, in a log that chains its events.
    pub(crate) hash: Option<EventHash>,
}

/// The columns of [`HeadRow`] in their order, under the alias `e`.
pub(crate) fn head_columns(place: Place) -> &'static str {
    if place.hashed {
        "e.revision, e.version, e.state, e.hash"
    } else {
        "e.revision, e.version, e.state, NULL"
    }
}

/// How many they are.
pub(crate) const HEAD_WIDTH: usize = 4;

impl HeadRow {
    pub(crate) fn read<'a, DB: Dialect>(row: &impl Row<'a, DB>, from: usize) -> deserialize::Result<Self> {
        Ok(Self {
            revision: field(row, from, DB::read_big_int)?,
            version: field(row, from + 1, DB::read_int)?,
            state: digest(&field(row, from + 2, DB::read_bytes)?)?,
            hash: optional(row, from + 3, DB::read_bytes)?.map(|bytes| event_hash(&bytes)).transpose()?,
        })
    }
}

impl<DB: Dialect> QueryableByName<DB> for HeadRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Self::read(row, 0)
    }
}

/// The last event of a record.
pub(crate) fn head_of<'q, DB: Dialect>(place: Place, record: &'q KeyValue) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(head_columns(place)).sql(" FROM ").log(place.table).sql(" e WHERE ");
    statement.of_record("e", place, record);
    statement.sql(" ORDER BY e.revision DESC LIMIT 1");
    statement
}

/// An event of a known record.
#[derive(Debug)]
pub(crate) struct EventRow(pub(crate) StoredEvent);

pub(super) const EVENT_COLUMNS: &str =
    "e.position, e.txid, e.id, e.revision, e.action, e.version, e.payload, e.meta, e.at, e.state";
pub(super) const EVENT_WIDTH: usize = 10;

pub(super) fn read_event<'a, DB: Dialect>(row: &impl Row<'a, DB>) -> deserialize::Result<StoredEvent> {
    let state = digest(&field(row, UNVOUCHED_WIDTH, DB::read_bytes)?)?;
    Ok(StoredEvent { state, ..read_unvouched(row)? })
}

/// The columns of [`EVENT_COLUMNS`] but the last one: the digest of the state, which not everyone asks for.
pub(super) const UNVOUCHED_COLUMNS: &str =
    "e.position, e.txid, e.id, e.revision, e.action, e.version, e.payload, e.meta, e.at";
pub(super) const UNVOUCHED_WIDTH: usize = 9;

/// An event without the digest of its state.
pub(super) fn read_unvouched<'a, DB: Dialect>(row: &impl Row<'a, DB>) -> deserialize::Result<StoredEvent> {
    Ok(StoredEvent {
        position: field(row, 0, DB::read_big_int)?,
        txid: field(row, 1, DB::read_big_int)?,
        id: field(row, 2, DB::read_uuid)?,
        revision: field(row, 3, DB::read_big_int)?,
        action: field(row, 4, DB::read_text)?,
        version: field(row, 5, DB::read_int)?,
        payload: Json::from_text(field(row, 6, DB::read_json)?),
        meta: optional(row, 7, DB::read_json)?.map(Json::from_text),
        at: field(row, 8, DB::read_time)?,
        state: Digest::NOTHING,
    })
}

impl<DB: Dialect> QueryableByName<DB> for EventRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        read_event(row).map(Self)
    }
}

/// A record's key, read by the kind of its model.
pub(crate) fn read_key<'a, DB: Dialect>(
    kind: KeyKind,
    row: &impl Row<'a, DB>,
    index: usize,
) -> deserialize::Result<KeyValue> {
    Ok(match kind {
        KeyKind::Uuid => KeyValue::Uuid(field(row, index, DB::read_uuid)?),
        KeyKind::Text => KeyValue::Text(field(row, index, DB::read_text)?),
        KeyKind::Int => KeyValue::Int(field(row, index, DB::read_int)?),
        KeyKind::BigInt => KeyValue::BigInt(field(row, index, DB::read_big_int)?),
    })
}

/// An event of some record of `M`.
pub(crate) struct EventOf<M: Model> {
    pub(crate) record: KeyValue,
    pub(crate) event: StoredEvent,
    model: PhantomData<fn() -> M>,
}

impl<DB: Dialect, M: Model> QueryableByName<DB> for EventOf<M> {
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

impl<DB: Dialect, M: Model> QueryableByName<DB> for RecordOf<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self { key: read_key(M::KEY, row, 0)?, model: PhantomData })
    }
}

/// An event of some record of `M` as far as a replay must know it: whole tables are read so, and what orders the log, and
/// the digest of the state, is left out.
pub(crate) struct ReplayedEvent<M: Model> {
    pub(crate) record: KeyValue,
    pub(crate) event: StoredEvent,
    model: PhantomData<fn() -> M>,
}

const REPLAYED_COLUMNS: &str = "e.record_id, e.id, e.revision, e.action, e.version, e.payload, e.meta, e.at";

impl<DB: Dialect, M: Model> QueryableByName<DB> for ReplayedEvent<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let event = StoredEvent {
            position: 0,
            txid: 0,
            id: field(row, 1, DB::read_uuid)?,
            revision: field(row, 2, DB::read_big_int)?,
            action: field(row, 3, DB::read_text)?,
            version: field(row, 4, DB::read_int)?,
            payload: Json::from_text(field(row, 5, DB::read_json)?),
            meta: optional(row, 6, DB::read_json)?.map(Json::from_text),
            at: field(row, 7, DB::read_time)?,
            state: Digest::NOTHING,
        };
        Ok(Self { record: read_key(M::KEY, row, 0)?, event, model: PhantomData })
    }
}

/// The part of a history that a replay is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Until {
    pub(crate) revision: Option<i64>,
    pub(crate) position: Option<i64>,
    pub(crate) time: Option<DateTime<Utc>>,
}

/// A record's events, oldest first, up to a limit; all of them, or from the last savepoint on.
pub(crate) fn history<'q, DB: Dialect>(
    place: Place,
    record: &'q KeyValue,
    until: Until,
    from_savepoint: bool,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(EVENT_COLUMNS).sql(" FROM ").log(place.table).sql(" e WHERE ");
    statement.of_record("e", place, record);
    push_until(&mut statement, "e", place, record, until);
    if from_savepoint {
        statement.sql(" AND e.revision >= COALESCE((SELECT s.revision FROM ").log(place.table);
        // The action is spelled out, not bound: only then does the planner see that the partial index fits.
        statement.sql(" s WHERE s.action = 'savepoint' AND ").of_record("s", place, record);
        push_until(&mut statement, "s", place, record, until);
        statement.sql(" ORDER BY s.revision DESC LIMIT 1), 0)");
    }
    statement.sql(" ORDER BY e.revision");
    statement
}

fn push_until<'q, DB: Dialect>(
    statement: &mut Statement<'q, DB>,
    alias: &'static str,
    place: Place,
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
        // Every revision up to the last one wanted must be early enough: a clock may have run backwards.
        statement.sql(" AND ").sql(alias).sql(".revision < COALESCE((SELECT min(l.revision) FROM ");
        statement.log(place.table).sql(" l WHERE ").of_record("l", place, record);
        statement.sql(" AND l.at > ").value(time);
        statement.sql("), 9223372036854775807)");
    }
}

/// One event by its id; of one record if that is known.
pub(crate) fn event_by_id<'q, DB: Dialect>(
    place: Place,
    id: Uuid,
    record: Option<&'q KeyValue>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement
        .sql(EVENT_COLUMNS)
        .sql(", e.record_id FROM ")
        .log(place.table)
        .sql(" e WHERE e.id = ")
        .value(id);
    match record {
        Some(record) => statement.sql(" AND ").of_record("e", place, record),
        None => statement.and_schema("e", place),
    };
    statement.sql(" LIMIT 1");
    statement
}

/// The last position of a log.
pub(crate) fn last_position<'q, DB: Dialect>(place: Place) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT max(e.position) FROM ");
    statement.log(place.table).sql(" e");
    statement
}

/// The answer to [`last_position`].
pub(crate) struct LastPosition(pub(crate) Option<i64>);

impl<DB: Dialect> QueryableByName<DB> for LastPosition {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        optional(row, 0, DB::read_big_int).map(Self)
    }
}

/// A page of a whole log up to a position, record by record, after an event.
pub(crate) fn page<'q, DB: Dialect>(
    place: Place,
    position: i64,
    after: Option<(&'q KeyValue, i64)>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(REPLAYED_COLUMNS).sql(" FROM ").log(place.table);
    statement.sql(" e WHERE e.position <= ").value(position).and_schema("e", place);
    push_after(&mut statement, after, limit);
    statement
}

/// A page of a whole log, record by record, after an event, with all that is known of the events.
pub(crate) fn page_of_all<'q, DB: Dialect>(
    place: Place,
    after: Option<(&'q KeyValue, i64)>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(EVENT_COLUMNS).sql(", e.record_id FROM ").log(place.table).sql(" e WHERE 1 = 1");
    statement.and_schema("e", place);
    push_after(&mut statement, after, limit);
    statement
}

fn push_after<'q, DB: Dialect>(
    statement: &mut Statement<'q, DB>,
    after: Option<(&'q KeyValue, i64)>,
    limit: i64,
) {
    if let Some((record, revision)) = after {
        statement.sql(" AND (e.record_id, e.revision) > (").value(record).sql(", ").value(revision).sql(")");
    }
    statement.sql(" ORDER BY e.record_id, e.revision LIMIT ").value(limit);
}

/// Reads a column that is never null.
pub(crate) fn field<'a, DB: Backend, T>(
    row: &impl Row<'a, DB>,
    index: usize,
    read: impl FnOnce(Option<DB::RawValue<'_>>) -> deserialize::Result<T>,
) -> deserialize::Result<T> {
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    read(field.value())
}

/// Reads a column that may be null.
pub(crate) fn optional<'a, DB: Backend, T>(
    row: &impl Row<'a, DB>,
    index: usize,
    read: impl FnOnce(Option<DB::RawValue<'_>>) -> deserialize::Result<T>,
) -> deserialize::Result<Option<T>> {
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    if field.is_null() { Ok(None) } else { read(field.value()).map(Some) }
}

pub(crate) fn event_hash(bytes: &[u8]) -> deserialize::Result<EventHash> {
    EventHash::from_slice(bytes).ok_or_else(|| format!("a hash has {} bytes", bytes.len()).into())
}

pub(super) fn digest(bytes: &[u8]) -> deserialize::Result<Digest> {
    Digest::from_slice(bytes).ok_or_else(|| format!("a digest has {} bytes", bytes.len()).into())
}

// The name stands in SQL above.
const _: () = assert!(matches!(names::SAVEPOINT.as_bytes(), b"savepoint"));
