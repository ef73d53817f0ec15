//! `show`: a record, as it is or as it was.

use chrono::{DateTime, Utc};
use evented_core::{FieldError, State};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::key_json;
use crate::backend::Dialect;
use crate::cli::failure::Failure;
use crate::error::Error;
use crate::model::Model;
use crate::run::driver::Driver;
use crate::statement::Until;
use crate::steps::command::Record;
use crate::steps::load;

/// Where a record stood.
#[derive(Debug, serde::Serialize)]
pub(in crate::cli) struct Shown {
    pub(in crate::cli) schema: &'static str,
    pub(in crate::cli) record: Value,
    /// The last event that counts.
    pub(in crate::cli) revision: i64,
    pub(in crate::cli) state: Standing,
    /// When it was deleted, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) deleted_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) fields: Option<Named>,
}

#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Standing {
    Live,
    Deleted,
}

/// Fields in the order of the struct.
#[derive(Debug)]
pub(in crate::cli) struct Named(pub(in crate::cli) Vec<(&'static str, Value)>);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, value) in &self.0 {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

/// As of when.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct When {
    pub(in crate::cli) time: Option<DateTime<Utc>>,
    pub(in crate::cli) revision: Option<i64>,
}

pub(in crate::cli) async fn of<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: Record<M>,
    when: When,
) -> Result<Shown, Failure> {
    if let Some(revision) = when.revision {
        has(driver, &record, revision).await?;
    }
    let until = Until { time: when.time, revision: when.revision, ..Until::default() };
    let replay = load::replay(driver, &record, until).await?;
    let revision = replay.revision();
    let shown = |state, deleted_at, fields| Shown {
        schema: M::SCHEMA,
        record: key_json(&record.value),
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

/// Whether the record has come to a revision. Replay itself takes a higher one for the last.
pub(super) async fn has<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    revision: i64,
) -> Result<(), Failure> {
    let last = load::head(driver, record).await?.map(|head| head.revision);
    match last {
        None => Err(Error::NotFound { record: record.name() }.into()),
        Some(last) if revision > last => Err(Failure::new(format!(
            "{}: there is no revision {revision}, the last one is {last}",
            record.name()
        ))),
        Some(_) => Ok(()),
    }
}
