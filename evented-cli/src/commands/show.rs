//! `show`: shows a record, as it is now or as it was.

use chrono::{DateTime, Utc};
use evented_core::{FieldError, KeyValue, State};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::failure::Failure;
use evented_diesel::spi::{EventedBackend, Executor, Record, Until, load_head, load_replay};
use evented_diesel::{Error, Model};

/// The state of a record at a time or a revision.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Shown {
    pub(crate) schema: &'static str,
    pub(crate) record: KeyValue,
    /// The revision of the last event that is included.
    pub(crate) revision: i64,
    pub(crate) state: Standing,
    /// When the record was deleted; `None` if it is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fields: Option<Named>,
}

#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    Live,
    Deleted,
}

/// Fields with their names, in the order of the struct.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) Vec<(&'static str, Value)>);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, value) in &self.0 {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

/// The time or revision to show; the present state if both are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct When {
    pub(crate) time: Option<DateTime<Utc>>,
    pub(crate) revision: Option<i64>,
}

pub(crate) async fn of<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: Record<M>,
    when: When,
) -> Result<Shown, Failure> {
    if let Some(revision) = when.revision {
        has(executor, &record, revision).await?;
    }
    let until = Until { time: when.time, revision: when.revision, ..Until::default() };
    let replay = load_replay(executor, &record, until).await?;
    let revision = replay.revision();
    let shown = |state, deleted_at, fields| Shown {
        schema: M::SCHEMA,
        record: record.value.clone(),
        revision,
        state,
        deleted_at,
        fields,
    };
    match replay.into_state() {
        State::Live(state) => {
            let fields = named(&state).map_err(|error| Error::field(record.name(), error))?;
            Ok(shown(Standing::Live, None, Some(fields)))
        }
        State::Deleted { at, .. } => Ok(shown(Standing::Deleted, Some(at), None)),
        State::Unknown => match when.time {
            Some(time) => Err(Failure::new(format!("{}: there was no such record at {time}", record.name()))),
            None => Err(Error::NotFound { record: record.name() }.into()),
        },
    }
}

fn named<M: Model>(state: &M) -> Result<Named, FieldError> {
    let fields = M::FIELDS.iter().enumerate().map(|(index, field)| Ok((*field, state.field(index)?)));
    Ok(Named(fields.collect::<Result<_, FieldError>>()?))
}

/// Fails if the record has not reached a revision. A replay alone would treat a higher revision as the last one.
pub(super) async fn has<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    revision: i64,
) -> Result<(), Failure> {
    let last = load_head(executor, record).await?.map(|head| head.revision);
    match last {
        None => Err(Error::NotFound { record: record.name() }.into()),
        Some(last) if revision > last => Err(Failure::new(format!(
            "{}: there is no revision {revision}, the last one is {last}",
            record.name()
        ))),
        Some(_) => Ok(()),
    }
}
