//! Finds the event that recorded a change of a row.
//!
//! A command writes the row and the event in one statement, so both are in one transaction of the write-ahead log. If
//! the publication also contains the log's table, the change is delivered with its action, its author and its `meta`.
//! An event belongs to a row if it is of the same record and its digest equals the digest of the new row. A change by
//! plain SQL has no such event and is delivered without one.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;

use diesel::deserialize::{self, QueryableByName};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::sql_types::{BigInt, Binary, Integer, Text, Timestamptz, Uuid as SqlUuid};
use evented_core::{ChangeEvent, Digest, Drift, ExactKind, Json, KeyValue, Meta, names};

use evented_diesel::sql_types::JsonText;
use evented_diesel::{EventLog, Model};

/// How many events wait for their rows at most: the events of a batch come before its rows. Changes beyond that limit
/// are delivered without their events.
const MAX_WAITING: usize = 65_536;

/// The events of the transaction that is being read.
#[derive(Default)]
pub(crate) struct TransactionEvents {
    waiting: HashMap<KeyValue, VecDeque<(Digest, ChangeEvent)>>,
    count: usize,
}

/// An event of a model, read from its row in the log.
pub(crate) struct EventSeen<M> {
    /// The model's name, in a log that several models share.
    pub(crate) schema: Option<String>,
    record: KeyValue,
    state: Digest,
    event: ChangeEvent,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> QueryableByName<Pg> for EventSeen<M> {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        // Read by the kind of the log's keys: the type is not evident from the bytes.
        let key = "record_id";
        let record = match M::KEY.exact() {
            ExactKind::Uuid => KeyValue::Uuid(NamedRow::get::<SqlUuid, _>(row, key)?),
            ExactKind::Text => KeyValue::Text(NamedRow::get::<Text, _>(row, key)?),
            ExactKind::Int => KeyValue::Int(NamedRow::get::<Integer, _>(row, key)?),
            ExactKind::BigInt => KeyValue::BigInt(NamedRow::get::<BigInt, _>(row, key)?),
        };
        let state = NamedRow::get::<Binary, Vec<u8>>(row, "state")?;
        Ok(Self {
            schema: if M::Log::SHARED { Some(NamedRow::get::<Text, _>(row, "schema")?) } else { None },
            record,
            state: Digest::from_slice(&state).ok_or("a digest of another length")?,
            event: ChangeEvent {
                id: NamedRow::get::<SqlUuid, _>(row, "id")?,
                revision: NamedRow::get::<BigInt, _>(row, "revision")?,
                action: NamedRow::get::<Text, _>(row, "action")?,
                at: NamedRow::get::<Timestamptz, _>(row, "at")?,
                meta: meta_of::<M>(NamedRow::get::<JsonText, String>(row, "meta")?),
            },
            model: PhantomData,
        })
    }
}

/// Returns the metadata that subscribers may see.
fn meta_of<M: Model>(stored: String) -> Option<Json> {
    let meta = Meta::stored(stored);
    if M::DRIFT == Drift::Heal { Meta::without_overwritten(meta) } else { meta }
}

impl TransactionEvents {
    /// Adds an event. Its row may come before or after it.
    pub(crate) fn add<M>(&mut self, event: EventSeen<M>) {
        if event.event.action == names::SAVEPOINT || self.count >= MAX_WAITING {
            return;
        }
        self.waiting.entry(event.record).or_default().push_back((event.state, event.event));
        self.count += 1;
    }

    /// Whether there is a waiting event of a record.
    pub(crate) fn know(&self, key: &KeyValue) -> bool {
        self.waiting.contains_key(key)
    }

    /// Takes the event that brought a record to a state. Drops the record's events before it, which changed no row.
    pub(crate) fn take(&mut self, key: &KeyValue, state: Digest) -> Option<ChangeEvent> {
        let events = self.waiting.get_mut(key)?;
        let index = events.iter().position(|(it, _)| *it == state)?;
        let taken = events.drain(..=index).next_back();
        self.count -= index + 1;
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
