//! Holds the options of a command: actor and other metadata, time, event id, expected revision, links.

use chrono::{DateTime, Utc};
use evented_core::{Context, Evented, Meta, micros};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{NewPublication, Publication, Publications, Publishing};
use crate::error::{Error, Subject};
use crate::model::{Cascade, Model, NewLink, Record};
use crate::telemetry;

/// Adds the methods that set what every event of a command has: actor, other metadata and time.
macro_rules! event_options {
    () => {
        /// Sets the actor: a user, a service, a job. An action reads it from
        /// [`Context::actor`](crate::Context::actor). Default: none.
        pub fn by(mut self, actor: impl Into<String>) -> Self {
            self.options.meta.actor = Some(actor.into());
            self
        }

        /// Adds the fields of a JSON object to the event's metadata. A value that is not an object is added under the
        /// key `value`. The keys `actor`, `cause` and `correlation` have the same effect as [`by`](Self::by),
        /// [`caused_by`](Self::caused_by) and [`correlate`](Self::correlate).
        pub fn meta(mut self, entries: impl Into<serde_json::Value>) -> Self {
            self.options.add_meta(entries.into());
            self
        }

        /// Sets the id of the event that caused this one. Default: none.
        pub fn caused_by(mut self, event: uuid::Uuid) -> Self {
            self.options.meta.cause = Some(event);
            self
        }

        /// Sets the id of what this event belongs to: a request, a job, a conversation. Default: none.
        pub fn correlate(mut self, id: uuid::Uuid) -> Self {
            self.options.meta.correlation = Some(id);
            self
        }

        /// Sets the time of the event, for imports. It is truncated to microseconds. Default: now. The order in the log
        /// follows from revision and position, never from time.
        pub fn at(mut self, time: chrono::DateTime<chrono::Utc>) -> Self {
            self.options.at = Some(time);
            self
        }
    };
}
pub(crate) use event_options;

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
    /// The domain events to publish with the event.
    pub(crate) publishes: Vec<NewPublication>,
}

impl Options {
    /// Creates the context of one attempt. Each attempt has a new event id, unless the caller set one.
    pub(crate) fn context<M: Evented>(&self) -> Context {
        let at = self.at.unwrap_or_else(Utc::now);
        let event_id = self.event_id.unwrap_or_else(Uuid::now_v7);
        Context::new(micros(at), event_id, self.meta.actor.clone(), M::VERSION)
    }

    /// The delete of which these are the options.
    pub(crate) fn cascade(&self) -> Cascade {
        Cascade::new(&self.meta, self.at)
    }

    /// The options of the events of children in a delete.
    pub(crate) fn of_children(cascade: &Cascade) -> Self {
        Self { meta: cascade.meta.clone(), at: cascade.at, ..Self::default() }
    }

    /// Makes the domain events of one attempt. Their cause is the event of the command.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if one of them cannot be stored.
    pub(crate) fn publications<M: Model>(
        &self,
        name: &Subject,
        cx: &Context,
        meta: &Meta,
        change: &Publishing<'_, M>,
    ) -> Result<Vec<Publication>, Error> {
        let mut of_model = Publications::default();
        M::publish_for(change, &mut of_model);
        if of_model.0.is_empty() && self.publishes.is_empty() {
            return Ok(Vec::new());
        }
        let meta = Meta { cause: Some(cx.event_id), own: serde_json::Map::new(), ..meta.clone() };
        let make = |new: &NewPublication| new.publication(&meta, cx.at, Some(M::SCHEMA));
        let made: Result<Vec<Publication>, String> =
            of_model.0.iter().chain(&self.publishes).map(make).collect();
        made.map_err(|reason| Error::Encode { record: name.clone(), error: reason.into() })
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
