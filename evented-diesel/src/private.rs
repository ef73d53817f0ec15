//! All that generated code may name. Not for you: it changes without notice.

pub use chrono::{DateTime, Utc};
pub use diesel;
pub use evented_core::{
    Action, ActionOf, AsStored, Attrs, Changeset, Context, Create, Drift, EventBody, Evented, External,
    FieldDigests, FieldError, Fields, Invalid, KeyKind, KeyValue, Normal, Payload, PayloadError, Retired,
    StateDigester, Step, Unstorable, names, present,
};
pub use serde;
pub use serde_json;
pub use uuid::Uuid;

pub use crate::command::{Command, IntoTarget, Target};
pub use crate::error::Error;
pub use crate::event::Event;
pub use crate::model::{Bind, LogName, Model, Rows, column};
pub use crate::read::{History, LastPosition, Materialize, Replay, TableAt};
pub use crate::sql_types;

use chrono::NaiveDateTime;
use serde::Serialize;

use crate::command::Options;
use crate::error::RecordName;

/// A type that a timestamp field may have.
pub trait FromTime {
    /// The time in this type.
    fn from_time(at: DateTime<Utc>) -> Self;
}
impl FromTime for DateTime<Utc> {
    fn from_time(at: DateTime<Utc>) -> Self {
        at
    }
}
impl FromTime for NaiveDateTime {
    fn from_time(at: DateTime<Utc>) -> Self {
        at.naive_utc()
    }
}

/// The query of a record's events over a log's table.
pub trait EventsOf<Key> {
    /// Its type.
    type Query;
    /// The query.
    fn events_of(key: Key) -> Self::Query;
}

/// A field as JSON.
///
/// # Errors
///
/// If the value has no JSON form.
pub fn to_json<T: Serialize>(field: &'static str, value: &T) -> Result<serde_json::Value, FieldError> {
    serde_json::to_value(value).map_err(|source| FieldError { field, source })
}

/// What an action would change.
///
/// # Errors
///
/// Those of running it.
pub fn changeset<M: Model, A: ActionOf<M>>(record: &M, action: &A) -> Result<Changeset, Error> {
    let name = || RecordName { schema: M::SCHEMA, key: Some(M::key_value(record.key())) };
    let cx = Options::default().context::<M>();
    let draft = evented_core::decide_change(record, action, &cx)
        .map_err(|reason| Error::undecided(name(), reason))?;
    Changeset::between(Some(record), Some(&draft.after)).map_err(|source| Error::field(name(), source))
}
