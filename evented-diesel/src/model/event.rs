//! Defines the events of a model, as Diesel loads them and as the library's own queries return them.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::associations::{BelongsTo, HasTable};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow, FromStaticSqlRow, Queryable};
use diesel::expression::Selectable;
use evented_core::{
    Context, Digest, EventData, Json, KeyValue, LogOffset, Meta, ReplayError, ReplayFault, StoredEvent,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, Subject};
use crate::model::definition::Model;
use crate::model::id::Id;
use crate::model::log::EventLog;
use crate::sql::SqlTypes;
use crate::sql_types::JsonText;

/// One event of a record of type `M`.
///
/// `item.events()` and `Event::belonging_to(&items)` are Diesel queries that load events; filter, page and join them
/// like any other query. In a query of your own over the log's table, select `Event::<Item>::as_select()`.
/// [`decode`](Event::decode) returns the typed action.
pub struct Event<M: Model> {
    /// The record's key.
    pub record: M::Key,
    stored: StoredEvent,
}

// Not derived: the derives would require the same of the model.
impl<M: Model> Clone for Event<M> {
    fn clone(&self) -> Self {
        Self { record: self.record.clone(), stored: self.stored.clone() }
    }
}

impl<M: Model> PartialEq for Event<M> {
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record && self.stored == other.stored
    }
}

impl<M: Model> Event<M> {
    #[doc(hidden)]
    pub fn new(record: M::Key, stored: StoredEvent) -> Self {
        Self { record, stored }
    }

    /// Decodes the event into the model's event enum, upgraded to the current schema version.
    ///
    /// # Errors
    ///
    /// [`Error::Replay`] if the action is unknown, if the event's version is newer than the program's, or if the
    /// payload does not decode.
    pub fn decode(&self) -> Result<M::Event, Error> {
        self.stored.data.decode::<M>().map_err(|fault| {
            let source = ReplayError {
                revision: self.stored.data.revision,
                action: self.stored.data.action.clone(),
                version: self.stored.data.version,
                reason: ReplayFault::Payload(fault),
            };
            Error::replay(self.record_name(), source)
        })
    }

    /// Returns the part of the event that [`evented_core::Replay`] reads.
    #[must_use]
    pub fn data(&self) -> &EventData {
        &self.stored.data
    }

    /// Returns the event's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.stored.data.id
    }

    /// Returns the number of the event in its record's history: 1, 2, 3, …
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.stored.data.revision
    }

    /// Returns the number of the event in its log. Numbers are unique and increase with time.
    ///
    /// On PostgreSQL, transactions do not commit in the order of these numbers. To continue reading a log without
    /// missing an event, use a [`LogReader`](crate::stream::LogReader) and its position.
    #[must_use]
    pub fn log_position(&self) -> i64 {
        self.stored.offset.position
    }

    /// Returns the offset of the event in its log: transaction and position.
    #[must_use]
    pub fn offset(&self) -> LogOffset {
        self.stored.offset
    }

    /// Returns the transaction id that orders the event in its log; 0 on SQLite, which does not number transactions.
    #[must_use]
    pub fn txid(&self) -> i64 {
        self.stored.offset.txid
    }

    /// Returns the schema version of the model at the time when the event was written.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.stored.data.version
    }

    /// Returns the stored payload as JSON text. Its format is that of the event's own [`version`](Self::version).
    #[must_use]
    pub fn payload_json(&self) -> &str {
        self.stored.data.payload.as_str()
    }

    /// Deserializes the payload into a `T`. The format of the payload is that of the event's own
    /// [`version`](Self::version); [`decode`](Self::decode) returns the typed action in the current format.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the payload does not deserialize into a `T`.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.stored
            .data
            .payload
            .read()
            .map_err(|source| Error::Encode { record: self.record_name(), error: source.into() })
    }

    /// Returns the digest of the record's state after the event.
    #[must_use]
    pub fn state(&self) -> Digest {
        self.stored.state
    }

    /// Returns the action's name in the log.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.stored.data.action
    }

    /// Returns the time of the event, as the command set it.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.stored.data.at
    }

    /// Returns the metadata: actor, cause, correlation and the caller's own entries.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.stored.data.meta.as_ref().map(Meta::from_json).unwrap_or_default()
    }

    /// Returns the stored metadata as JSON text; `None` if the event has none.
    #[must_use]
    pub fn meta_json(&self) -> Option<&str> {
        self.stored.data.meta.as_ref().map(Json::as_str)
    }

    /// Returns the actor of the event; `None` if the command named none.
    #[must_use]
    pub fn actor(&self) -> Option<String> {
        self.meta().actor
    }

    /// Returns the circumstances of the event, as [`Action::apply`](crate::Action::apply) receives them on replay: its
    /// time, its id, its actor and its schema version.
    #[must_use]
    pub fn context(&self) -> Context {
        self.stored.data.context()
    }

    pub(crate) fn record_name(&self) -> Subject {
        Subject::Record { schema: M::SCHEMA, key: M::key_value(&self.record) }
    }
}

impl<M: Model> fmt::Debug for Event<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("record", &self.record).field("stored", &self.stored).finish()
    }
}

/// The columns of the log as Diesel reads them, in the order of its table.
///
/// The event's own id is read as an `Id<()>`: Diesel can read a bare `Uuid` only if its PostgreSQL feature is enabled.
pub type Columns<K> = (i64, i64, K, i64, DateTime<Utc>, i16, String, Document, Document, Id<()>, Vec<u8>);

/// The text of a payload or of meta data, from a column of [`JsonText`] or of PostgreSQL's `Json`.
#[derive(Debug, FromSqlRow)]
pub struct Document(String);

impl<DB: SqlTypes> FromSql<JsonText, DB> for Document
where
    String: FromSql<JsonText, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(value).map(Self)
    }
}

#[cfg(feature = "__pg")]
impl FromSql<diesel::sql_types::Json, diesel::pg::Pg> for Document {
    fn from_sql(value: diesel::pg::PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<JsonText, diesel::pg::Pg>::from_sql(value).map(Self)
    }
}

/// The columns of the log of a model.
type LogColumns<M> = Columns<<<M as Model>::Log as EventLog>::Key>;

impl<M, ST, DB> Queryable<ST, DB> for Event<M>
where
    M: Model,
    DB: Backend,
    LogColumns<M>: FromStaticSqlRow<ST, DB>,
{
    type Row = LogColumns<M>;

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        let (position, txid, record, revision, at, version, action, payload, meta, id, state) = row;
        let record: KeyValue = record.into();
        let unknown = || format!("`{record}` is no key of `{}`", M::SCHEMA);
        let record = M::key_from(record.clone()).ok_or_else(unknown)?;
        let state = Digest::from_slice(&state).ok_or("a digest of another length")?;
        let payload = Json::from_text(payload.0);
        let meta = Meta::stored(meta.0);
        let version = i32::from(version);
        let id = id.uuid();
        let data = EventData { id, revision, action, version, payload, meta, at };
        let offset = LogOffset { txid, position };
        Ok(Self { record, stored: StoredEvent { data, offset, state } })
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
