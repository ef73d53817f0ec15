//! Exports everything that generated code names. It is not public API and changes without notice.

#[path = "private/field_format.rs"]
mod field_format;
#[path = "private/holds_key.rs"]
mod holds_key;
#[path = "private/key_types.rs"]
mod key_types;

pub use field_format::{FieldFormat, Formatted, deserialize_changed, serialize_changed};
pub use holds_key::{HoldsKey, column_holds_key};
pub use key_types::{IntoKey, KeyMadeOf, KeyType, OutOfKey, into_key, out_of_key};

pub use chrono::{DateTime, Utc};
pub use diesel;
pub use evented_core::{
    Action, ActionOf, AsStored, Context, Create, Drift, EventBody, Evented, External, FieldDigests,
    FieldError, Fields, IntoRecordRef, IntoScope, KeyKind, KeyPart, KeyPartKind, KeySource, KeyValue, Normal,
    Payload, PayloadError, RawPayload, RecordRef, Retired, Scope, ScopeKey, ScopeName, ScopePart, ScopeValue,
    StateDigester, Step, Unstorable, ValidationErrors, live, names, present,
};
pub use serde;
pub use serde_json;
pub use uuid::Uuid;

/// The SQL type of UUID keys in the log's `table!`: without PostgreSQL, Diesel has none of its own.
#[cfg(not(feature = "__pg"))]
pub use crate::sql_types::Uid as LogUuid;
/// The SQL type of UUID keys in the log's `table!`.
#[cfg(feature = "__pg")]
pub use diesel::sql_types::Uuid as LogUuid;

pub use crate::backend::EventedBackend;
pub use crate::domain::{Publications, PublishFor, Publishing};
pub use crate::error::Error;
pub use crate::exec::Executor;
pub use crate::model::{
    Cascade, DeletingChildren, Derived, Event, EventLog, EventsOf, HoldsModel, Id, ItemOn, Link, LinkShape,
    LiveOn, Model, ModelOn, ModelVisitor, PendingEvent, RecordedIn, Savable, SharedLog, TreeOn, WithTable,
    Written, column, converted_column, shard_by_key,
};
pub use crate::sql::{BindColumns, BindOperands, ConvertedField, LogName, NamedTable, SqlTypes};
pub use crate::sql_types;
pub use crate::statements::{IsRecord, IsRow, JoinOf, push_is_row};
pub use crate::write::{Command, delete_children};

use std::any::TypeId;

use chrono::NaiveDateTime;
use serde::Serialize;

/// The name of a column of a child's table, which refers to its parent.
#[must_use]
pub const fn column_of_child<C, Col>() -> &'static str
where
    C: WithTable,
    Col: diesel::Column<Table = C::Table>,
{
    Col::NAME
}

/// The error for a value that is of no field.
///
/// # Errors
///
/// Always.
pub fn no_such_operand() -> diesel::QueryResult<()> {
    Err(diesel::result::Error::QueryBuilderError("a value of another type than its field".into()))
}

/// A type that a timestamp field may have.
pub trait FromTime {
    /// Converts a time into this type.
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

/// Returns the current name of an action that an event in a log names.
#[must_use]
pub fn name_today<'a>(aliases: &[(&'static str, &'static str)], name: &'a str) -> &'a str {
    aliases.iter().find(|(_, old)| *old == name).map_or(name, |(today, _)| *today)
}

/// Returns whether two names are equal, at compile time.
#[must_use]
pub const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Returns whether a name is in a list, at compile time.
#[must_use]
pub const fn among(name: &str, names: &[&str]) -> bool {
    let mut index = 0;
    while index < names.len() {
        if same(name, names[index]) {
            return true;
        }
        index += 1;
    }
    false
}

/// The primary key of a table that has one column. Of a key of several columns, one alone would name several records.
#[diagnostic::on_unimplemented(
    message = "the primary key of the table has several columns, and the model's key is one of them",
    label = "a part of the primary key",
    note = "write `#[diesel(primary_key(…))]` with the columns of the table's primary key on the model"
)]
pub trait OneColumn {}
#[diagnostic::do_not_recommend]
impl<C: diesel::Column> OneColumn for C {}

/// Returns whether an SQL type is text.
#[must_use]
pub fn is_text<ST: 'static>() -> bool {
    TypeId::of::<ST>() == TypeId::of::<diesel::sql_types::Text>()
}

/// Returns what an action does to a state. The list of actions calls it, so that the compiler reports a missing
/// `impl Action` only there.
pub fn change<M: Evented, A: ActionOf<M>>(action: &A) -> Step<'_, M> {
    Step::Change(action)
}

/// Returns what an insert does to a state. See [`change`].
pub fn create<M: Evented>(new: &M::New) -> Step<'_, M> {
    Step::Create(new)
}

/// Decodes the payload of an action.
///
/// # Errors
///
/// If the payload does not have the format of the action.
pub fn read_action<M, A: ActionOf<M>>(payload: Payload<'_>) -> Result<A, PayloadError> {
    payload.read()
}

/// Decodes the payload of an insert.
///
/// # Errors
///
/// If the payload does not have the format of the insert.
pub fn read_new<M: Evented>(payload: Payload<'_>) -> Result<M::New, PayloadError> {
    payload.read()
}

/// Serializes a field as JSON.
///
/// # Errors
///
/// If the value cannot be serialized as JSON.
pub fn to_json<T: Serialize>(field: &'static str, value: &T) -> Result<serde_json::Value, FieldError> {
    serde_json::to_value(value).map_err(|error| FieldError { field, error })
}

/// Sets a field that a step adds, in an event that has all fields of a state. `inserts` are the old names of inserts.
pub fn add_field<T: Serialize>(
    attrs: &mut RawPayload,
    field: &'static str,
    inserts: &[&str],
    default: impl FnOnce() -> T,
) {
    let whole = attrs.is_whole_state() || inserts.contains(&attrs.action());
    if whole && !attrs.has(field) {
        // A value without a JSON form is found when the payload is decoded.
        attrs.set(field, serde_json::to_value(default()).unwrap_or_default());
    }
}

#[cfg(feature = "time")]
impl FromTime for time::OffsetDateTime {
    fn from_time(at: DateTime<Utc>) -> Self {
        let nanos = i128::from(at.timestamp_micros()) * 1_000;
        // The crate `time` ends with the year 9999, and chrono does not.
        Self::from_unix_timestamp_nanos(nanos).unwrap_or(time::PrimitiveDateTime::MAX.assume_utc())
    }
}
#[cfg(feature = "time")]
impl FromTime for time::PrimitiveDateTime {
    fn from_time(at: DateTime<Utc>) -> Self {
        let at = time::OffsetDateTime::from_time(at);
        Self::new(at.date(), at.time())
    }
}
impl<T: FromTime> FromTime for Option<T> {
    fn from_time(at: DateTime<Utc>) -> Self {
        Some(T::from_time(at))
    }
}
