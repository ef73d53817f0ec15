//! Builds the statements that check a log.

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::{NamedRow, Row};
use evented_core::{Digest, Json, KeyKind, KeyValue, LogOffset, Meta};
use uuid::Uuid;

use crate::sql::{EventTable, LogName, SqlTypes, Statement, Value, field, optional};
use crate::statements::events::digest;

/// The model and the record of an event in a hashed log, even if other SQL has changed them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChainKey {
    pub(crate) schema: String,
    pub(crate) record: KeyValue,
    /// The key as it is stored. The next page continues after it.
    raw: Raw,
}

#[derive(Debug, Clone, PartialEq)]
enum Raw {
    Uuid(Uuid),
    Text(String),
    /// A value that is not a key: a SQLite column accepts any value.
    Bytes(Vec<u8>),
}

impl ChainKey {
    /// Interprets the key by the kind of the log's keys.
    pub(crate) fn read_as(&mut self, kind: KeyKind) {
        self.record = match &self.raw {
            Raw::Uuid(key) => KeyValue::Uuid(*key),
            Raw::Text(key) if kind == KeyKind::Text => KeyValue::Text(key.clone()),
            Raw::Text(key) => KeyValue::Text(format!("{key} (no key)")),
            Raw::Bytes(bytes) => KeyValue::Text(format!("{} (no key)", hex(bytes))),
        };
    }

    fn value(&self) -> Value<'_> {
        match &self.raw {
            Raw::Uuid(key) => Value::Uuid(*key),
            Raw::Text(key) => Value::Text(key),
            Raw::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event with the columns that its hash covers.
#[derive(Debug)]
pub(crate) struct ChainEvent {
    pub(crate) txid: i64,
    pub(crate) position: i64,
    pub(crate) id: Uuid,
    pub(crate) action: String,
    pub(crate) version: i32,
    pub(crate) at: DateTime<Utc>,
    pub(crate) payload: Json,
    pub(crate) meta: Option<Json>,
    pub(crate) state: Digest,
    pub(crate) hash: Vec<u8>,
    pub(crate) given_id: bool,
}

/// A row of a hashed log. Parts of it may be unreadable.
#[derive(Debug)]
pub(crate) struct ChainRow {
    pub(crate) key: ChainKey,
    pub(crate) revision: i64,
    pub(crate) event: Result<ChainEvent, String>,
}

/// Reads a page of a hashed table, record by record, starting after an event.
pub(crate) fn chain_page<'q, DB: SqlTypes>(
    table: LogName,
    after: Option<(&'q ChainKey, i64)>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement =
        Statement::new("SELECT e.schema, e.record_id, e.revision, e.txid, e.position, e.id, ");
    statement.sql("e.action, e.version, e.at, e.payload, e.meta, e.state, e.hash, e.given_id, ");
    statement.sql(DB::WELL_TYPED_SQL);
    statement.sql(" FROM ").log(table).sql(" e");
    if let Some((key, revision)) = after {
        statement.sql(" WHERE (e.schema, e.record_id, e.revision) > (").value(key.schema.as_str());
        statement.sql(", ").value(key.value()).sql(", ").value(revision).sql(")");
    }
    statement.sql(" ORDER BY e.schema, e.record_id, e.revision LIMIT ").value(limit);
    statement
}

impl<DB: SqlTypes> QueryableByName<DB> for ChainRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let key = chain_key(row)?;
        let event = chain_event(row).map_err(|error| error.to_string());
        Ok(Self { key, revision: field(row, 2, DB::read_big_int)?, event })
    }
}

fn chain_event<'a, DB: SqlTypes>(row: &impl Row<'a, DB>) -> deserialize::Result<ChainEvent> {
    let of = |name: &'static str| move |error| format!("column `{name}`: {error}");
    if field(row, 14, DB::read_int)? == 0 {
        return Err("a column holds a value of another type, or a time in another spelling".into());
    }
    Ok(ChainEvent {
        txid: field(row, 3, DB::read_big_int).map_err(of("txid"))?,
        position: field(row, 4, DB::read_big_int).map_err(of("position"))?,
        id: field(row, 5, DB::read_uuid).map_err(of("id"))?,
        action: field(row, 6, DB::read_text).map_err(of("action"))?,
        version: field(row, 7, DB::read_small_int).map_err(of("version"))?.into(),
        at: field(row, 8, DB::read_time).map_err(of("at"))?,
        payload: Json::from_text(field(row, 9, DB::read_json).map_err(of("payload"))?),
        meta: Meta::stored(field(row, 10, DB::read_json).map_err(of("meta"))?),
        state: digest(&field(row, 11, DB::read_bytes).map_err(of("state"))?).map_err(of("state"))?,
        hash: field(row, 12, DB::read_bytes).map_err(of("hash"))?,
        given_id: field(row, 13, DB::read_bool).map_err(of("given_id"))?,
    })
}

/// Reads the model, the record and the revision of the event at an offset of a hashed log.
pub(crate) fn name_at<'q, DB: SqlTypes>(log: LogName, at: LogOffset) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.schema, e.record_id, e.revision FROM ");
    statement.log(log).sql(" e WHERE e.txid = ").value(at.txid).sql(" AND e.position = ").value(at.position);
    statement
}

/// The result of [`name_at`].
#[derive(Debug)]
pub(crate) struct NameRow {
    pub(crate) key: ChainKey,
    pub(crate) revision: i64,
}

impl<DB: SqlTypes> QueryableByName<DB> for NameRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self { key: chain_key(row)?, revision: field(row, 2, DB::read_big_int)? })
    }
}

/// Reads the model and the key, the first two columns.
fn chain_key<'a, DB: SqlTypes>(row: &impl Row<'a, DB>) -> deserialize::Result<ChainKey> {
    let raw = field(row, 1, DB::read_uuid)
        .map(Raw::Uuid)
        .or_else(|_| field(row, 1, DB::read_text).map(Raw::Text))
        .or_else(|_| field(row, 1, DB::read_bytes).map(Raw::Bytes))?;
    Ok(ChainKey { schema: field(row, 0, DB::read_text)?, record: KeyValue::Int(0), raw })
}

/// Reads the first transaction that has not ended yet.
pub(crate) fn horizon<'q, DB: SqlTypes>() -> Statement<'q, DB> {
    Statement::new(DB::OLDEST_RUNNING_TXID_SQL)
}

/// A number; `None` if it is null.
#[derive(Debug)]
pub struct Number(pub Option<i64>);

impl<DB: SqlTypes> QueryableByName<DB> for Number {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        optional(row, 0, DB::read_big_int).map(Self)
    }
}

/// The hashes of a record's events.
#[derive(Debug)]
pub(crate) struct EventHashes {
    pub(crate) revision: i64,
    pub(crate) schema: String,
    pub(crate) hash: Vec<u8>,
    pub(crate) given_id: bool,
}

/// Reads the hashes of a record's events, in their order.
pub(crate) fn hashes_of<'q, DB: SqlTypes>(table: EventTable, record: &'q KeyValue) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.revision, e.schema, e.hash, e.given_id FROM ");
    statement.log(table.name).sql(" e WHERE ").of_record("e", table, record).sql(" ORDER BY e.revision");
    statement
}

impl<DB: SqlTypes> QueryableByName<DB> for EventHashes {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            revision: field(row, 0, DB::read_big_int)?,
            schema: field(row, 1, DB::read_text)?,
            hash: field(row, 2, DB::read_bytes)?,
            given_id: field(row, 3, DB::read_bool)?,
        })
    }
}
