//! Builds the statements that check a log.

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::{NamedRow, Row};
use evented_core::{Digest, EventHash, Json, KeyKind, KeyValue, Leaf, Root};
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
    statement.sql("e.action, e.version, e.at, e.payload, e.meta, e.state, e.hash, ").sql(DB::WELL_TYPED_SQL);
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
        let raw = field(row, 1, DB::read_uuid)
            .map(Raw::Uuid)
            .or_else(|_| field(row, 1, DB::read_text).map(Raw::Text))
            .or_else(|_| field(row, 1, DB::read_bytes).map(Raw::Bytes))?;
        let key = ChainKey { schema: field(row, 0, DB::read_text)?, record: KeyValue::Int(0), raw };
        let event = chain_event(row).map_err(|error| error.to_string());
        Ok(Self { key, revision: field(row, 2, DB::read_big_int)?, event })
    }
}

fn chain_event<'a, DB: SqlTypes>(row: &impl Row<'a, DB>) -> deserialize::Result<ChainEvent> {
    let of = |name: &'static str| move |error| format!("column `{name}`: {error}");
    if field(row, 13, DB::read_int)? == 0 {
        return Err("a column holds a value of another type".into());
    }
    Ok(ChainEvent {
        txid: field(row, 3, DB::read_big_int).map_err(of("txid"))?,
        position: field(row, 4, DB::read_big_int).map_err(of("position"))?,
        id: field(row, 5, DB::read_uuid).map_err(of("id"))?,
        action: field(row, 6, DB::read_text).map_err(of("action"))?,
        version: field(row, 7, DB::read_int).map_err(of("version"))?,
        at: field(row, 8, DB::read_time).map_err(of("at"))?,
        payload: Json::from_text(field(row, 9, DB::read_json).map_err(of("payload"))?),
        meta: optional(row, 10, DB::read_json).map_err(of("meta"))?.map(Json::from_text),
        state: digest(&field(row, 11, DB::read_bytes).map_err(of("state"))?).map_err(of("state"))?,
        hash: field(row, 12, DB::read_bytes).map_err(of("hash"))?,
    })
}

/// A part of a log in reading order: after one offset, up to another. Offsets are (transaction, position).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) after: (i64, i64),
    pub(crate) to: Option<(i64, i64)>,
    /// Only transactions below this one, which have all ended.
    pub(crate) before_txid: Option<i64>,
    /// Only positions above `floor`, and up to `highest`. In a restored database, transaction ids restart but positions
    /// continue.
    pub(crate) floor: i64,
    pub(crate) highest: Option<i64>,
}

/// Reads the next events of a part of a log.
pub(crate) fn leaves<'q, DB: SqlTypes>(log: LogName, range: Range, limit: i64) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.position, e.txid, e.hash FROM ");
    statement.log(log).sql(" e WHERE (e.txid, e.position) > (").value(range.after.0);
    statement.sql(", ").value(range.after.1).sql(")");
    if let Some((txid, position)) = range.to {
        statement.sql(" AND (e.txid, e.position) <= (").value(txid).sql(", ").value(position).sql(")");
    }
    if let Some(txid) = range.before_txid {
        statement.sql(" AND e.txid < ").value(txid);
    }
    if range.floor > 0 {
        statement.sql(" AND e.position > ").value(range.floor);
    }
    if let Some(highest) = range.highest {
        statement.sql(" AND e.position <= ").value(highest);
    }
    statement.sql(" ORDER BY e.txid, e.position LIMIT ").value(limit);
    statement
}

/// The result of [`leaves`]. The hash is read as bytes, because other SQL may have replaced it by any value.
#[derive(Debug)]
pub(crate) struct LeafRow {
    pub(crate) leaf: Leaf,
}

impl<DB: SqlTypes> QueryableByName<DB> for LeafRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let hash = field(row, 2, DB::read_bytes)?;
        // A value that is not a hash counts as a hash that differs from the one that was written.
        let hash = EventHash::from_slice(&hash).or_else(|| EventHash::from_slice(&[0; EventHash::LEN]));
        let hash = hash.ok_or("a hash has another length")?;
        let leaf =
            Leaf { position: field(row, 0, DB::read_big_int)?, txid: field(row, 1, DB::read_big_int)?, hash };
        Ok(Self { leaf })
    }
}

/// The columns of a checkpoint in order.
const CHECKPOINT: &str =
    "number, after_txid, after_position, to_txid, to_position, floor, highest, events, at, keyed, root";

/// The result of [`checkpoints`].
#[derive(Debug, Clone)]
pub(crate) struct CheckpointRow {
    pub(crate) number: i64,
    pub(crate) after: (i64, i64),
    pub(crate) to: (i64, i64),
    pub(crate) floor: i64,
    pub(crate) highest: i64,
    pub(crate) events: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) keyed: bool,
    pub(crate) root: Root,
}

impl<DB: SqlTypes> QueryableByName<DB> for CheckpointRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let root = field(row, 10, DB::read_bytes)?;
        Ok(Self {
            number: field(row, 0, DB::read_big_int)?,
            after: (field(row, 1, DB::read_big_int)?, field(row, 2, DB::read_big_int)?),
            to: (field(row, 3, DB::read_big_int)?, field(row, 4, DB::read_big_int)?),
            floor: field(row, 5, DB::read_big_int)?,
            highest: field(row, 6, DB::read_big_int)?,
            events: field(row, 7, DB::read_big_int)?,
            at: field(row, 8, DB::read_time)?,
            keyed: field(row, 9, DB::read_int)? != 0,
            root: Root::from_slice(&root).ok_or("a root has another length")?,
        })
    }
}

/// Reads the checkpoints of a log, oldest first; only the last one if `last` is set.
pub(crate) fn checkpoints<'q, DB: SqlTypes>(log: LogName, table: &'q str, last: bool) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(CHECKPOINT).sql(" FROM ");
    statement.beside(log, table);
    statement.sql(if last { " ORDER BY number DESC LIMIT 1" } else { " ORDER BY number" });
    statement
}

/// Writes a checkpoint.
pub(crate) fn write_checkpoint<'q, DB: SqlTypes>(
    log: LogName,
    table: &'q str,
    row: &'q CheckpointRow,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.beside(log, table);
    statement.sql(" (").sql(CHECKPOINT).sql(") VALUES (").value(row.number);
    for number in [row.after.0, row.after.1, row.to.0, row.to.1, row.floor, row.highest, row.events] {
        statement.sql(", ").value(number);
    }
    statement.sql(", ").value(row.at).sql(", ").value(i32::from(row.keyed)).sql(", ");
    statement.value(Value::Bytes(row.root.as_bytes())).sql(")");
    statement
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
}

/// Reads the hashes of a record's events, in their order.
pub(crate) fn hashes_of<'q, DB: SqlTypes>(table: EventTable, record: &'q KeyValue) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.revision, e.schema, e.hash FROM ");
    statement.log(table.name).sql(" e WHERE ").of_record("e", table, record).sql(" ORDER BY e.revision");
    statement
}

impl<DB: SqlTypes> QueryableByName<DB> for EventHashes {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            revision: field(row, 0, DB::read_big_int)?,
            schema: field(row, 1, DB::read_text)?,
            hash: field(row, 2, DB::read_bytes)?,
        })
    }
}
