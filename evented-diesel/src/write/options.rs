//! Holds the options of a command: actor and other metadata, time, event id, expected revision, links.

use chrono::{DateTime, Utc};
use evented_core::{Context, Evented, Meta, micros};
use serde_json::Value;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Model, NewLink, Record};
use crate::telemetry;

/// The options that every kind of command has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) meta: Meta,
    pub(crate) expecting: Option<i64>,
    pub(crate) event_id: Option<Uuid>,
    pub(crate) at: Option<DateTime<Utc>>,
    /// Whether the event's offset is part of the result.
    pub(crate) placed: bool,
    /// The links of the event.
    pub(crate) links: Vec<NewLink>,
}

impl Options {
    /// Creates the context of one attempt. Each attempt has a new event id, unless the caller set one.
    pub(crate) fn context<M: Evented>(&self) -> Context {
        let at = self.at.unwrap_or_else(Utc::now);
        let event_id = self.event_id.unwrap_or_else(Uuid::now_v7);
        Context::new(micros(at), event_id, self.meta.actor.clone(), M::VERSION)
    }

    /// Adds the fields of a JSON object to the metadata; another value under the key `value`.
    pub(crate) fn add_meta(&mut self, entries: Value) {
        match entries {
            Value::Object(entries) => self.meta.extend(entries),
            other => {
                self.meta.own.insert("value".to_owned(), other);
            }
        }
    }

    pub(crate) fn check_expected<M: Model>(&self, record: &Record<M>, found: i64) -> Result<(), Error> {
        match self.expecting {
            Some(expected) if expected != found => {
                telemetry::conflict(M::SCHEMA, &record.value, expected, found);
                Err(Error::Conflict { record: record.name(), expected, found })
            }
            _ => Ok(()),
        }
    }
}
