//! Which event a change of a row was recorded as.
//!
//! A command writes the row and the event in one statement, so both are in one transaction of the write-ahead log. If the
//! publication has the log's table as well, the change is told with its action, its author and its `meta`. An event is a
//! row's if it is of the same record, and the digest it recorded is that of the row as it is now. A change by plain SQL
//! has no such event, and is told without.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use evented_core::{Cause, Digest, Json, KeyKind, KeyValue, names};
use uuid::Uuid;

use crate::sql_types::JsonText;

/// How many events wait for their rows: those of a batch come before its rows. Beyond that, changes are told without.
const MOST: usize = 65_536;

/// The events of the transaction that is being read.
#[derive(Default)]
pub(crate) struct Causes {
    waiting: HashMap<KeyValue, VecDeque<(Digest, Cause)>>,
    count: usize,
}

/// An event as its row in the log has it.
pub(crate) struct EventSeen {
    pub(crate) schema: String,
    record: RecordSeen,
    state: Option<Digest>,
    cause: Cause,
}

enum RecordSeen {
    Uuid(Uuid),
    Text(String),
    Int(i32),
    BigInt(i64),
    Other,
}

impl QueryableByName<Pg> for EventSeen {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        // The type of the key is that of its column: the others do not read it.
        let record = NamedRow::get::<SqlUuid, Uuid>(row, "record_id").map(RecordSeen::Uuid);
        let record =
            record.or_else(|_| NamedRow::get::<BigInt, i64>(row, "record_id").map(RecordSeen::BigInt));
        let record = record.or_else(|_| {
            NamedRow::get::<diesel::sql_types::Integer, i32>(row, "record_id").map(RecordSeen::Int)
        });
        let record =
            record.or_else(|_| NamedRow::get::<Text, String>(row, "record_id").map(RecordSeen::Text));
        let state = NamedRow::get::<Binary, Vec<u8>>(row, "state")?;
        Ok(Self {
            schema: NamedRow::get::<Text, String>(row, "schema")?,
            record: record.unwrap_or(RecordSeen::Other),
            state: Digest::from_slice(&state),
            cause: Cause {
                id: NamedRow::get::<SqlUuid, Uuid>(row, "id")?,
                revision: NamedRow::get::<BigInt, i64>(row, "revision")?,
                action: NamedRow::get::<Text, String>(row, "action")?,
                at: NamedRow::get::<Timestamptz, DateTime<Utc>>(row, "at")?,
                meta: NamedRow::get::<Nullable<JsonText>, Option<String>>(row, "meta")?.map(Json::from_text),
            },
        })
    }
}

impl EventSeen {
    /// The record, if its key is of the model's kind.
    fn key(self, kind: KeyKind) -> Option<(KeyValue, Digest, Cause)> {
        let key = match (kind, self.record) {
            (KeyKind::Uuid, RecordSeen::Uuid(key)) => KeyValue::Uuid(key),
            (KeyKind::Text, RecordSeen::Text(key)) => KeyValue::Text(key),
            (KeyKind::Int, RecordSeen::Int(key)) => KeyValue::Int(key),
            (KeyKind::BigInt, RecordSeen::BigInt(key)) => KeyValue::BigInt(key),
            _ => return None,
        };
        Some((key, self.state?, self.cause))
    }
}

impl Causes {
    /// Takes an event; its row may have come already, or comes next.
    pub(crate) fn add(&mut self, event: EventSeen, kind: KeyKind) {
        if event.cause.action == names::SAVEPOINT || self.count >= MOST {
            return;
        }
        if let Some((key, state, cause)) = event.key(kind) {
            self.waiting.entry(key).or_default().push_back((state, cause));
            self.count += 1;
        }
    }

    /// Whether there is an event of a record.
    pub(crate) fn know(&self, key: &KeyValue) -> bool {
        self.waiting.contains_key(key)
    }

    /// The event that a record was brought to a state by. Those before it changed no row.
    pub(crate) fn take(&mut self, key: &KeyValue, state: Digest) -> Option<Cause> {
        let events = self.waiting.get_mut(key)?;
        let place = events.iter().position(|(it, _)| *it == state)?;
        let taken = events.drain(..=place).next_back();
        self.count -= place + 1;
        if events.is_empty() {
            self.waiting.remove(key);
        }
        taken.map(|(_, cause)| cause)
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.count = 0;
    }
}
