//! Exports everything that generated code names. It is not public API and changes without notice.

pub use chrono::{DateTime, Utc};
pub use diesel;
pub use evented_core::{
    Action, ActionOf, AsStored, Changeset, Channel, Context, Create, Drift, EventBody, Evented, External,
    FieldDigests, FieldError, Fields, IntoRecordRef, IntoScope, KeyKind, KeyValue, Normal, Payload,
    PayloadError, RawPayload, RecordRef, Retired, Scope, ScopeKey, ScopeName, ScopePart, ScopeValue,
    StateDigester, Step, Unstorable, ValidationErrors, names, present,
};
pub use serde;
pub use serde_json;
pub use uuid::Uuid;

pub use crate::backend::EventedBackend;
pub use crate::error::Error;
pub use crate::exec::Executor;
pub use crate::maintenance::{Backfill, Rebuild};
pub use crate::model::{
    Derived, Event, EventLog, HoldsModel, Link, LinkShape, Model, ModelOn, PendingEvent, RecordedIn,
    SharedLog, column, shard_by_key,
};
pub use crate::read::{History, LastPosition, Replay, TableAt};
pub use crate::sql::{BindColumns, LogName, NamedTable};
pub use crate::sql_types;
pub use crate::stream::TakeReadPoint;
pub use crate::verify::{Verify, VerifyReplay, VerifySavepoints, VerifyTable};
pub use crate::write::{Command, Materialize};

use std::fmt::Debug;
use std::hash::Hash;

use chrono::NaiveDateTime;
use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::sql_types::SqlType;
use serde::Serialize;

use crate::error::Subject;
use crate::write::Options;

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

/// Builds the query for a record's events.
pub trait EventsOf {
    /// The type of the query.
    type Query;
    /// Returns the query.
    fn events_of(&self) -> Self::Query;
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

/// The bounds of a key in one trait, so that the compiler reports all of them together.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key made of `{Inner}`",
    label = "lacks something that a key needs",
    note = "derive `Clone, Debug, PartialEq, Eq, Hash` and, with `#[diesel(sql_type = {Sql})]`, Diesel's \
            `AsExpression, FromSqlRow` for `{Self}`",
    note = "write `impl From<{Inner}> for {Self}`, `impl From<{Self}> for {Inner}`, and Diesel's `ToSql` and `FromSql`"
)]
pub trait KeyOf<Inner, Sql> {}
#[diagnostic::do_not_recommend]
impl<Inner, Sql, K> KeyOf<Inner, Sql> for K
where
    K: Clone + Eq + Hash + Debug + Send + Sync + 'static,
    K: From<Inner> + AsExpression<Sql>,
    Inner: From<K>,
    Sql: SqlType + TypedExpressionType,
{
}

/// A model with a key of the log's kind. The compiler reports a wrong key type at this trait, before the errors that
/// follow from it.
#[diagnostic::on_unimplemented(
    message = "the key of `{Self}` is not of the log's kind",
    label = "another kind of key than the log's, `{Inner}` as `{Sql}`",
    note = "a shared log has keys of one kind: `#[event_log(key = Id)]` (the default) for `Id<Model>` and newtypes of it, \
            `key = Uuid`, `key = String`; a key that the database makes (`i32`, `i64`) names records of one table only: \
            leave out `log = …`, and the model has a log of its own"
)]
pub trait Keyed<Inner, Sql> {
    /// The key.
    type Key: KeyOf<Inner, Sql>;
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

/// Computes what an action would change, without running it.
///
/// # Errors
///
/// The errors of running the action.
pub fn changeset<M: Model, A: ActionOf<M>>(record: &M, action: &A) -> Result<Changeset, Error> {
    let name = || Subject::Record { schema: M::SCHEMA, key: M::key_value(record.key()) };
    let cx = Options::default().context::<M>();
    let draft = evented_core::decide_change(record, action, &cx)
        .map_err(|reason| Error::undecided(name(), reason))?;
    Changeset::between(Some(record), Some(&draft.after)).map_err(|source| Error::field(name(), source))
}
