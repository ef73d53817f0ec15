//! Domain events that are about to be written, and the SQL that writes them.

use chrono::{DateTime, Utc};
use evented_core::{Json, JsonError, KeyValue, Meta};
use uuid::Uuid;

use crate::domain::{Bus, DomainEvent, key_text};
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
}

impl NewPublication {
    pub(crate) fn of<E: DomainEvent>(event: &E) -> Self {
        Self {
            bus: E::Bus::name(),
            name: E::NAME,
            version: E::VERSION,
            key: event.key().as_ref().map(key_text),
            payload: Json::write(event).map_err(|error| error.to_string()),
        }
    }

    /// Makes the row to write, with a new id.
    ///
    /// # Errors
    ///
    /// The payload or the metadata cannot be stored.
    pub(crate) fn publication(&self, meta: &Meta, at: DateTime<Utc>) -> Result<Publication, String> {
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
}

impl Publication {
    fn push_values<'q, DB: SqlTypes>(&'q self, statement: &mut Statement<'q, DB>) {
        statement.value(self.id).sql(", ").value(self.key.as_str()).sql(", ").value(self.name);
        statement.sql(", ").value(self.version).sql(", ").value(Value::Json(self.payload.as_str()));
        statement.sql(", ").value(Value::Json(self.meta.as_ref().map_or(Meta::NONE, Json::as_str)));
        statement.sql(", ").value(self.at);
        if let Some(unique) = &self.unique {
            statement.sql(", ").value(unique.as_str());
        }
    }
}

/// Adds the insert of events of one bus, which all have a unique key or all have none. `from` names the part of the statement
/// that must have a row, else nothing is published.
pub(crate) fn push_publications<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    publications: &[&'q Publication],
    from: &'static str,
) {
    let Some(first) = publications.first() else { return };
    statement.sql("INSERT INTO ").log(first.bus);
    statement.sql(" (id, record_id, action, version, payload, meta, at");
    statement.sql(if first.unique.is_some() { ", unique_key) " } else { ") " });
    for (index, publication) in publications.iter().enumerate() {
        statement.sql(if index == 0 { "SELECT " } else { " UNION ALL SELECT " });
        publication.push_values(statement);
        statement.sql(from);
    }
}
