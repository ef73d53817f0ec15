//! Domain events that are about to be written, and the SQL that writes them.

use chrono::{DateTime, Utc};
use evented_core::{Json, JsonError, KeyValue, Meta};
use uuid::Uuid;

use crate::domain::{Bus, DomainEvent, delayed_table, key_text};
use crate::sql::{LogName, SqlTypes, Statement, Value};

/// A domain event that a command publishes. The payload was made when the event was given to the command.
#[derive(Debug, Clone)]
pub(crate) struct NewPublication {
    bus: LogName,
    name: &'static str,
    version: i32,
    key: Option<String>,
    /// The payload; the reason why it cannot be stored, which running the command returns.
    payload: Result<Json, String>,
    /// When it is published; `None`: at once.
    due: Option<Due>,
}

/// When a delayed event is published, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// So long after now, by the clock of the database.
    In(i64),
    /// At a time, since 1970.
    At(i64),
}

impl NewPublication {
    pub(crate) fn of<E: DomainEvent>(event: &E) -> Self {
        Self {
            bus: E::Bus::name(),
            name: E::NAME,
            version: E::VERSION,
            key: event.key().as_ref().map(key_text),
            payload: Json::write(event).map_err(|error| error.to_string()),
            due: None,
        }
    }

    /// Returns the event, if it is an `E`.
    ///
    /// # Errors
    ///
    /// It cannot be stored, or not be read again.
    pub(crate) fn decoded<E: DomainEvent>(&self) -> Option<Result<E, String>> {
        let is_of_type = self.name == E::NAME && self.bus == E::Bus::name();
        is_of_type.then(|| {
            let payload = self.payload.as_ref().map_err(Clone::clone)?;
            serde_json::from_str(payload.as_str()).map_err(|error| error.to_string())
        })
    }

    /// Sets when the event is published.
    pub(crate) fn due(mut self, due: Due) -> Self {
        self.due = Some(due);
        self
    }

    /// Makes the row to write, with a new id. `source` is the schema of the record whose change it is published with, if there is one.
    ///
    /// # Errors
    ///
    /// The payload or the metadata cannot be stored.
    pub(crate) fn publication(
        &self,
        meta: &Meta,
        at: DateTime<Utc>,
        source: Option<&'static str>,
    ) -> Result<Publication, String> {
        let id = Uuid::now_v7();
        let payload = self.payload.clone().map_err(|error| format!("the event `{}`: {error}", self.name))?;
        let meta = meta.to_json().map_err(|error: JsonError| error.to_string())?;
        Ok(Publication {
            bus: self.bus,
            id,
            name: self.name,
            version: self.version,
            key: self.key.clone().unwrap_or_else(|| key_text(&KeyValue::Uuid(id))),
            payload,
            meta,
            at,
            unique: None,
            delayed: self.due.map(|due| (delayed_table(self.bus.table), due)),
            source,
        })
    }
}

/// A row of a bus.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) bus: LogName,
    pub(crate) id: Uuid,
    name: &'static str,
    version: i32,
    key: String,
    payload: Json,
    meta: Option<Json>,
    at: DateTime<Utc>,
    /// The key under which a bus has one event at most.
    pub(crate) unique: Option<String>,
    /// The table of the events that are not due yet, and when this one is; `None`: it is published at once.
    pub(crate) delayed: Option<(String, Due)>,
    /// The schema of the record whose change it is published with; `None` if it is published without one.
    pub(crate) source: Option<&'static str>,
}

/// A domain event to write, and the event of the change that it is published with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicationRow<'q> {
    pub(crate) publication: &'q Publication,
    pub(crate) cause: Cause<'q>,
}

/// The event of the change that a domain event is published with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause<'q> {
    /// There is none.
    None,
    /// The part `appended` of the same statement appends it. If that part has no row, nothing is published.
    Appended,
    /// It was appended before: the key of its record, and its revision.
    Event { record: &'q str, revision: i64 },
}

impl Publication {
    fn push_values<'q, DB: SqlTypes>(&'q self, statement: &mut Statement<'q, DB>) {
        statement.value(self.id).sql(", ").value(self.key.as_str()).sql(", ").value(self.name);
        statement.sql(", ").value(self.version).sql(", ").value(Value::Json(self.payload.as_str()));
        statement.sql(", ").value(Value::Json(self.meta.as_ref().map_or(Meta::NONE, Json::as_str)));
        match &self.delayed {
            None => statement.sql(", ").value(self.at),
            Some((_, Due::At(millis))) => statement.sql(", ").value(*millis),
            Some((_, Due::In(millis))) => statement.sql(", ").sql(DB::NOW_MILLIS).sql(" + ").value(*millis),
        };
        if let Some(unique) = &self.unique {
            statement.sql(", ").value(unique.as_str());
        }
    }
}

impl<'q> PublicationRow<'q> {
    fn push_values<DB: SqlTypes>(&self, statement: &mut Statement<'q, DB>) {
        self.publication.push_values(statement);
        let Some(schema) = self.publication.source else { return };
        statement.sql(", ").value(schema);
        match self.cause {
            Cause::None => statement.sql(", NULL, NULL"),
            Cause::Appended => {
                statement.sql(", CAST(appended.record_id AS TEXT), appended.revision FROM appended")
            }
            Cause::Event { record, revision } => statement.sql(", ").value(record).sql(", ").value(revision),
        };
    }
}

/// Adds the insert of events of one table, which all have a unique key or all have none, and which a command publishes or none does.
pub(crate) fn push_publications<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    publications: &[PublicationRow<'q>],
) {
    let Some(first) = publications.first().map(|row| row.publication) else { return };
    statement.sql("INSERT INTO ");
    match &first.delayed {
        None => statement.log(first.bus).sql(" (id, record_id, action, version, payload, meta, at"),
        Some((table, _)) => {
            statement.identifier(table).sql(" (id, record_id, action, version, payload, meta, due")
        }
    };
    statement.sql(if first.unique.is_some() { ", unique_key" } else { "" });
    statement.sql(if first.source.is_some() {
        ", source_schema, source_record, source_revision) "
    } else {
        ") "
    });
    for (index, publication) in publications.iter().enumerate() {
        statement.sql(if index == 0 { "SELECT " } else { " UNION ALL SELECT " });
        publication.push_values(statement);
    }
}
