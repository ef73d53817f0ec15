//! Which event a change of a row was recorded as.
//!
//! A command writes the row and the event in one statement, so both are in one transaction of the write-ahead log. If the
//! publication has the log's table as well, the change is told with its action, its author and its `meta`. An event is a
//! row's if it is of the same record, and the digest it recorded is that of the row as it is now. A change by plain SQL
//! has no such event, and is told without.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;

use diesel::deserialize::{self, QueryableByName};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use evented_core::{ChangeEvent, Digest, Json, KeyKind, KeyValue, names};

use crate::model::Model;
use crate::sql_types::JsonText;

/// How many events wait for their rows: those of a batch come before its rows. Beyond that, changes are told without.
const MOST: usize = 65_536;

/// The events of the transaction that is being read.
#[derive(Default)]
pub(crate) struct TransactionEvents {
    waiting: HashMap<KeyValue, VecDeque<(Digest, ChangeEvent)>>,
    count: usize,
}

/// An event of a model as its row in the log has it.
pub(crate) struct EventSeen<M> {
    pub(crate) schema: String,
    record: KeyValue,
    state: Digest,
    event: ChangeEvent,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> QueryableByName<Pg> for EventSeen<M> {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        // By the kind of the log's keys: the bytes alone do not say what they are.
        let key = "record_id";
        let record = match M::KEY {
            KeyKind::Uuid => KeyValue::Uuid(NamedRow::get::<SqlUuid, _>(row, key)?),
            KeyKind::Text => KeyValue::Text(NamedRow::get::<Text, _>(row, key)?),
            KeyKind::Int => KeyValue::Int(NamedRow::get::<Integer, _>(row, key)?),
            KeyKind::BigInt => KeyValue::BigInt(NamedRow::get::<BigInt, _>(row, key)?),
        };
        let state = NamedRow::get::<Binary, Vec<u8>>(row, "state")?;
        Ok(Self {
            schema: NamedRow::get::<Text, _>(row, "schema")?,
            record,
            state: Digest::from_slice(&state).ok_or("a digest of another length")?,
            event: ChangeEvent {
                id: NamedRow::get::<SqlUuid, _>(row, "id")?,
                revision: NamedRow::get::<BigInt, _>(row, "revision")?,
                action: NamedRow::get::<Text, _>(row, "action")?,
                at: NamedRow::get::<Timestamptz, _>(row, "at")?,
                meta: NamedRow::get::<Nullable<JsonText>, Option<String>>(row, "meta")?.map(Json::from_text),
            },
            model: PhantomData,
        })
    }
}

impl TransactionEvents {
    /// Takes an event; its row may have come already, or comes next.
    pub(crate) fn add<M>(&mut self, event: EventSeen<M>) {
        if event.event.action == names::SAVEPOINT || self.count >= MOST {
            return;
        }
        self.waiting.entry(event.record).or_default().push_back((event.state, event.event));
        self.count += 1;
    }

    /// Whether there is an event of a record.
    pub(crate) fn know(&self, key: &KeyValue) -> bool {
        self.waiting.contains_key(key)
    }

    /// The event that a record was brought to a state by. Those before it changed no row.
    pub(crate) fn take(&mut self, key: &KeyValue, state: Digest) -> Option<ChangeEvent> {
        let events = self.waiting.get_mut(key)?;
        let place = events.iter().position(|(it, _)| *it == state)?;
        let taken = events.drain(..=place).next_back();
        self.count -= place + 1;
        if events.is_empty() {
            self.waiting.remove(key);
        }
        taken.map(|(_, event)| event)
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.count = 0;
    }
}
