//! Metadata of an event: who made it and why.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Json;

/// Actor, cause, correlation and the caller's own entries. The log stores them as one JSON object, or as none if all
/// are empty.
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

impl Meta {
    /// The stored form; `None` if all entries are empty.
    #[must_use]
    pub fn to_json(&self) -> Option<Json> {
        if *self == Self::default() {
            return None;
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
        Some(Json::from_text(Value::Object(map).to_string()))
    }

    /// Reads the stored form. Entries that do not have the form that the library writes stay in [`own`](Self::own).
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        json.read().map(Self::from_entries).unwrap_or_default()
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
        #[derive(Deserialize)]
        struct ActorOnly {
            #[serde(default)]
            actor: Option<String>,
        }
        json.read::<ActorOnly>().ok()?.actor
    }
}
