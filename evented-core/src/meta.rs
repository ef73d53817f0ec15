//! Metadata of an event: who made it and why.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::json::text_entry;
use crate::{Json, JsonError};

/// Actor, cause, correlation and the caller's own entries. The log stores them as one JSON object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meta {
    /// The actor: who made the event.
    pub actor: Option<String>,
    /// The id of the event that caused this one.
    pub cause: Option<Uuid>,
    /// The id of what the event belongs to: a request, a job, a conversation.
    pub correlation: Option<Uuid>,
    /// The caller's own entries.
    pub own: Map<String, Value>,
}

const ACTOR: &str = "actor";
const CAUSE: &str = "cause";
const CORRELATION: &str = "correlation";
const OVERWROTE: &str = "overwrote";

impl Meta {
    /// The text that the log stores for an event without metadata.
    pub const NONE: &'static str = "{}";

    /// The stored document; `None` if it is that of an event without metadata.
    #[must_use]
    pub fn stored(text: String) -> Option<Json> {
        (text != Self::NONE).then(|| Json::from_text(text))
    }

    /// The stored form; `None` if all entries are empty.
    ///
    /// # Errors
    ///
    /// [`JsonError`]: an entry that could not be read back.
    pub fn to_json(&self) -> Result<Option<Json>, JsonError> {
        if *self == Self::default() {
            return Ok(None);
        }
        let mut map = self.own.clone();
        if let Some(actor) = &self.actor {
            map.insert(ACTOR.into(), Value::from(actor.as_str()));
        }
        if let Some(cause) = self.cause {
            map.insert(CAUSE.into(), Value::from(cause.to_string()));
        }
        if let Some(correlation) = self.correlation {
            map.insert(CORRELATION.into(), Value::from(correlation.to_string()));
        }
        Json::write(&Value::Object(map)).map(Some)
    }

    /// Reads the stored form. Entries that do not have the form that the library writes stay in [`own`](Self::own). If
    /// the document cannot be read as a whole, because other SQL wrote it, its actor is still found.
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        let read = json.read().map(Self::from_entries);
        read.unwrap_or_else(|_| Self { actor: Self::actor_of(json), ..Self::default() })
    }

    /// The stored metadata without what [healing](crate::Drift::Heal) overwrote. A row that was changed by plain SQL may
    /// have been in the hands of others, and subscribers to the record may not see what it was there.
    #[must_use]
    pub fn without_overwritten(meta: Option<Json>) -> Option<Json> {
        let meta = meta?;
        if !meta.as_str().contains(OVERWROTE) {
            return Some(meta);
        }
        let mut entries = Self::from_json(&meta);
        entries.own.remove(OVERWROTE);
        entries.to_json().ok().flatten()
    }

    /// Adds the fields of a row that healing overwrites.
    pub fn set_overwritten(&mut self, fields: Value) {
        self.own.insert(OVERWROTE.to_owned(), fields);
    }

    /// Adds the caller's entries. An entry named `actor`, `cause` or `correlation` sets that field, as it will on
    /// replay.
    pub fn extend(&mut self, entries: Map<String, Value>) {
        let Self { actor, cause, correlation, own } = Self::from_entries(entries);
        self.actor = actor.or(self.actor.take());
        self.cause = cause.or(self.cause);
        self.correlation = correlation.or(self.correlation);
        self.own.extend(own);
    }

    fn from_entries(mut own: Map<String, Value>) -> Self {
        let uuid = |own: &mut Map<String, Value>, name: &str| {
            let id = own.get(name)?.as_str()?.parse().ok()?;
            own.remove(name);
            Some(id)
        };
        let cause = uuid(&mut own, CAUSE);
        let correlation = uuid(&mut own, CORRELATION);
        let actor = own.get(ACTOR).and_then(Value::as_str).map(str::to_owned);
        if actor.is_some() {
            own.remove(ACTOR);
        }
        Self { actor, cause, correlation, own }
    }

    /// Reads the actor alone, which replay needs from each event.
    pub(crate) fn actor_of(json: &Json) -> Option<String> {
        text_entry(json.as_str(), ACTOR)
    }
}
