//! `log`: the events of a record, each with what it changed.

use chrono::{DateTime, Utc};
use evented_core::{Changeset, Json, Replay, StoredEvent};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::key_json;
use crate::backend::Dialect;
use crate::error::Error;
use crate::event::Event;
use crate::model::Model;
use crate::run::driver::Driver;
use crate::statement::Until;
use crate::steps::command::Record;
use crate::steps::load;

/// The events of a record, oldest first.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Log {
    pub(in crate::cli) schema: &'static str,
    pub(in crate::cli) record: serde_json::Value,
    pub(in crate::cli) events: Vec<Told>,
}

/// An event.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Told {
    pub(in crate::cli) revision: i64,
    pub(in crate::cli) at: DateTime<Utc>,
    pub(in crate::cli) actor: Option<String>,
    pub(in crate::cli) action: String,
    /// `None` for an event that cannot be replayed, and for all after it.
    pub(in crate::cli) changes: Option<Changeset>,
    /// Why not, at the first of them.
    pub(in crate::cli) fault: Option<String>,
    pub(in crate::cli) version: i32,
    pub(in crate::cli) position: i64,
    pub(in crate::cli) id: Uuid,
    pub(in crate::cli) payload: Stored,
    pub(in crate::cli) meta: Option<Stored>,
}

/// A document as it is in the log: if it is not JSON any more, as text.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::cli) enum Stored {
    Json(Box<RawValue>),
    Text(String),
}

impl From<&Json> for Stored {
    fn from(json: &Json) -> Self {
        let text = json.as_str().to_owned();
        RawValue::from_string(text.clone()).map_or(Self::Text(text), Self::Json)
    }
}

impl Stored {
    pub(in crate::cli) fn as_str(&self) -> &str {
        match self {
            Self::Json(json) => json.get(),
            Self::Text(text) => text,
        }
    }
}

/// Who looks at a log that is broken wants to see it all the same: an event that cannot be replayed is told with the reason.
pub(in crate::cli) async fn of<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: Record<M>,
) -> Result<Log, Error> {
    let events = load::events(driver, &record, Until::default(), false).await?;
    if events.is_empty() {
        return Err(Error::NotFound { record: record.name() });
    }
    let mut replay = Ok(Replay::<M>::new(record.key.clone()));
    let events = events.into_iter().map(|event| told(&record, &mut replay, event)).collect();
    Ok(Log { schema: M::SCHEMA, record: key_json(&record.value), events })
}

/// `replay` is an error once an event could not be replayed.
fn told<M: Model>(record: &Record<M>, replay: &mut Result<Replay<M>, ()>, stored: StoredEvent) -> Told {
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
    let event = Event::<M> { record: record.key.clone(), stored };
    Told {
        revision: event.revision(),
        at: event.at(),
        actor: event.actor(),
        action: event.action().to_owned(),
        changes,
        fault,
        version: event.stored.version,
        position: event.position(),
        id: event.id(),
        payload: Stored::from(&event.stored.payload),
        meta: event.stored.meta.as_ref().map(Stored::from),
    }
}

fn step<M: Model>(replay: &mut Replay<M>, event: &StoredEvent) -> Result<Changeset, String> {
    let before = replay.state().as_live().cloned();
    replay.apply(event).map_err(|error| error.reason.to_string())?;
    Changeset::between(before.as_ref(), replay.state().as_live()).map_err(|error| error.to_string())
}
