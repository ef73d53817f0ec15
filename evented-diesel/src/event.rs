//! Events of a model, as Diesel loads them and as the library's own readings give them.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::associations::{BelongsTo, HasTable};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};
use diesel::expression::Selectable;
use evented_core::{Changeset, Digest, Json, Meta, Replay, ReplayError, ReplayFault, StoredEvent};
use uuid::Uuid;

use crate::error::{Error, RecordName};
use crate::id::Id;
use crate::log::EventLog;
use crate::model::Model;

/// One event of a record of type `M`.
///
/// `item.events()` and `Event::belonging_to(&items)` are Diesel queries that load it; filter, page and join them like
/// any other. In a query of your own over the log's table, `Event::<Item>::as_select()` is its selection.
/// [`decode`](Event::decode) gives the typed action.
#[derive(Clone, PartialEq)]
pub struct Event<M: Model> {
    /// The record's key.
    pub record: M::Key,
    /// The event as stored.
    pub stored: StoredEvent,
}

impl<M: Model> Event<M> {
    /// The event as an action of the model's event enum, brought to today's schema version.
    ///
    /// # Errors
    ///
    /// [`Error::Replay`] if its action is unknown, its version newer than the program's, or its payload does not
    /// decode.
    pub fn decode(&self) -> Result<M::Event, Error> {
        self.stored.decode::<M>().map_err(|fault| {
            let source = ReplayError {
                revision: self.stored.revision,
                action: self.stored.action.clone(),
                version: self.stored.version,
                reason: ReplayFault::Payload(fault),
            };
            Error::replay(self.record_name(), source)
        })
    }

    /// The event's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.stored.id
    }

    /// Its place in the record's history: 1, 2, 3, …
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.stored.revision
    }

    /// Its place in the log.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.stored.position
    }

    /// The action's name in the log.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.stored.action
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.stored.at
    }

    /// Actor, cause, correlation and the caller's own entries.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.stored.meta.as_ref().map(Meta::from_json).unwrap_or_default()
    }

    /// Who did it, where the command said so.
    #[must_use]
    pub fn actor(&self) -> Option<String> {
        self.meta().actor
    }

    pub(crate) fn record_name(&self) -> RecordName {
        RecordName { schema: M::SCHEMA, key: Some(M::key_value(&self.record)) }
    }
}

impl<M: Model> fmt::Debug for Event<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("record", &self.record).field("stored", &self.stored).finish()
    }
}

/// An event in its history: with the state it found, the state it left, and what differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<M: Model> {
    /// The event.
    pub event: Event<M>,
    /// The record before it; `None` if there was none.
    pub before: Option<M>,
    /// The record after it; `None` if there is none any more.
    pub after: Option<M>,
    /// What differs between the two.
    pub changes: Changeset,
}

/// Events in the order of their revisions, each with the states around it.
pub(crate) fn entries<M: Model>(key: &M::Key, events: Vec<StoredEvent>) -> Result<Vec<Entry<M>>, Error> {
    let name = || RecordName { schema: M::SCHEMA, key: Some(M::key_value(key)) };
    let mut replay = Replay::<M>::new(key.clone());
    let mut entries = Vec::with_capacity(events.len());
    for stored in events {
        let before = replay.state().as_live().cloned();
        replay.apply(&stored).map_err(|source| Error::replay(name(), source))?;
        let after = replay.state().as_live().cloned();
        let changes = Changeset::between(before.as_ref(), after.as_ref())
            .map_err(|source| Error::field(name(), source))?;
        entries.push(Entry { event: Event { record: key.clone(), stored }, before, after, changes });
    }
    Ok(entries)
}

/// The log's columns as Diesel reads them, in the order of its table.
///
/// The event's own id is read as the id of no model: Diesel can read a bare `Uuid` only where PostgreSQL is switched
/// on.
pub type Columns<K> =
    (i64, i64, K, i64, DateTime<Utc>, i32, String, String, String, Option<String>, Id<()>, Vec<u8>);

impl<M, ST, DB> Queryable<ST, DB> for Event<M>
where
    M: Model,
    DB: Backend,
    Columns<M::Key>: FromStaticSqlRow<ST, DB>,
{
    type Row = Columns<M::Key>;

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        let (position, txid, record, revision, at, version, _schema, action, payload, meta, id, state) = row;
        let state = Digest::from_slice(&state).ok_or("a digest of another length")?;
        let payload = Json::from_text(payload);
        let meta = meta.map(Json::from_text);
        let id = id.uuid();
        let stored = StoredEvent { position, txid, id, revision, action, version, payload, meta, at, state };
        Ok(Self { record, stored })
    }
}

impl<M: Model, DB: Backend> Selectable<DB> for Event<M> {
    type SelectExpression = <M::Log as EventLog>::Columns;
    fn construct_selection() -> Self::SelectExpression {
        M::Log::columns()
    }
}

impl<M: Model> HasTable for Event<M> {
    type Table = M::Events;
    fn table() -> Self::Table {
        Self::Table::default()
    }
}

impl<M: Model> BelongsTo<M> for Event<M> {
    type ForeignKey = M::Key;
    type ForeignKeyColumn = <M::Log as EventLog>::RecordColumn;
    fn foreign_key(&self) -> Option<&M::Key> {
        Some(&self.record)
    }
    fn foreign_key_column() -> Self::ForeignKeyColumn {
        Self::ForeignKeyColumn::default()
    }
}

impl<M: Model> BelongsTo<&M> for Event<M> {
    type ForeignKey = M::Key;
    type ForeignKeyColumn = <M::Log as EventLog>::RecordColumn;
    fn foreign_key(&self) -> Option<&M::Key> {
        Some(&self.record)
    }
    fn foreign_key_column() -> Self::ForeignKeyColumn {
        Self::ForeignKeyColumn::default()
    }
}
