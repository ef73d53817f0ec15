//! `log`: shows the events of a record, each with its changes.

use chrono::{DateTime, Utc};
use evented_core::{Changeset, KeyValue, Replay, StoredEvent};
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use evented_diesel::spi::{EventedBackend, Executor, Record, Until, load_events};
use evented_diesel::{Error, Event, Model};

/// The events of a record, oldest first.
#[derive(Debug, Serialize)]
pub(crate) struct Log {
    pub(crate) schema: &'static str,
    pub(crate) record: KeyValue,
    pub(crate) events: Vec<LoggedEvent>,
}

/// An event, and the changes that it made.
#[derive(Debug, Serialize)]
pub(crate) struct LoggedEvent {
    pub(crate) revision: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: Option<String>,
    pub(crate) action: String,
    /// The changes; `None` for an event that cannot be replayed, and for all events after it.
    pub(crate) changes: Option<Changeset>,
    /// Why the event cannot be replayed; only for the first such event.
    pub(crate) fault: Option<String>,
    pub(crate) version: i32,
    pub(crate) position: i64,
    pub(crate) id: Uuid,
    pub(crate) payload: Stored,
    pub(crate) meta: Option<Stored>,
}

/// A document as it is in the log. Its serde form is the document; its text if it is no longer valid JSON.
#[derive(Debug)]
pub(crate) struct Stored(String);

impl Stored {
    fn new(json: &str) -> Self {
        Self(json.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<Value>(&self.0) {
            Ok(value) => value.serialize(serializer),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

/// Reads all events of a record, also those of a broken log: an event that cannot be replayed is shown with the reason.
pub(crate) async fn of<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: Record<M>,
) -> Result<Log, Error> {
    let events = load_events(executor, &record, Until::default(), false).await?;
    if events.is_empty() {
        return Err(Error::NotFound { record: record.name() });
    }
    let mut replay = Ok(Replay::<M>::new(record.key.clone()));
    let events = events.into_iter().map(|event| logged_event(&record, &mut replay, event)).collect();
    Ok(Log { schema: M::SCHEMA, record: record.value, events })
}

/// Converts a stored event. `replay` is an error after the first event that cannot be replayed.
fn logged_event<M: Model>(
    record: &Record<M>,
    replay: &mut Result<Replay<M>, ()>,
    stored: StoredEvent,
) -> LoggedEvent {
    let (mut changes, mut fault) = (None, None);
    if let Ok(so_far) = replay {
        match step(so_far, &stored) {
            Ok(found) => changes = Some(found),
            Err(reason) => {
                fault = Some(reason);
                *replay = Err(());
            }
        }
    }
    let event = Event::<M>::new(record.key.clone(), stored);
    LoggedEvent {
        revision: event.revision(),
        at: event.at(),
        actor: event.actor(),
        action: event.action().to_owned(),
        changes,
        fault,
        version: event.version(),
        position: event.log_position(),
        id: event.id(),
        payload: Stored::new(event.payload_json()),
        meta: event.meta_json().map(Stored::new),
    }
}

fn step<M: Model>(replay: &mut Replay<M>, event: &StoredEvent) -> Result<Changeset, String> {
    let before = replay.state().as_live().map(M::copy);
    replay.apply(&event.data).map_err(|error| error.reason.to_string())?;
    Changeset::between(before.as_ref(), replay.state().as_live()).map_err(|error| error.to_string())
}
