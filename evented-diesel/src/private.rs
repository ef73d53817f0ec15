//! All that generated code may name. Not for you: it changes without notice.

pub use chrono::{DateTime, Utc};
pub use diesel;
pub use evented_core::{
    Action, ActionOf, AsStored, Attrs, Changeset, Context, Create, Drift, EventBody, Evented, External,
    FieldDigests, FieldError, Fields, IntoScope, Invalid, KeyKind, KeyValue, Normal, Payload, PayloadError,
    Retired, Scope, ScopeKey, ScopeName, ScopePart, ScopeValue, StateDigester, Step, Unstorable, names,
    present,
};
pub use serde;
pub use serde_json;
pub use uuid::Uuid;

pub use crate::backend::Dialect;
pub use crate::command::{Command, IntoTarget, Target};
pub use crate::error::Error;
pub use crate::event::Event;
pub use crate::integrity::{Verify, VerifyReplay, VerifySavepoints, VerifyTable};
pub use crate::link::Link;
pub use crate::listen::Channel;
pub use crate::log::{EventLog, Holds, LinkShape, LogName, shard_by_key};
pub use crate::model::{Bind, Model, Rows, column};
pub use crate::prepare::Draft;
pub use crate::read::{History, LastPosition, Materialize, Replay, TableAt};
pub use crate::run::driver::Driver;
pub use crate::sql_types;
pub use crate::upkeep::{BringUp, Rebuild};

use std::fmt::Debug;
use std::hash::Hash;

use chrono::NaiveDateTime;
use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::sql_types::SqlType;
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

/// The query of a record's events.
pub trait EventsOf {
    /// Its type.
    type Query;
    /// The query.
    fn events_of(&self) -> Self::Query;
}

/// What an action's name in a row of a log is called today.
#[must_use]
pub fn name_today<'a>(aliases: &[(&'static str, &'static str)], name: &'a str) -> &'a str {
    aliases.iter().find(|(_, old)| *old == name).map_or(name, |(today, _)| *today)
}

/// Whether two names are the same, at compile time.
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

/// Whether a name is among others, at compile time.
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

/// What a key must be, said in one place.
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

/// A model by its key: so that a type that cannot be one is reported there, before all that comes of it.
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

/// What an action does to a state. Bound by the list of actions, so that a missing `impl Action` is reported there and
/// nowhere else.
pub fn change<M: Evented, A: ActionOf<M>>(action: &A) -> Step<'_, M> {
    Step::Change(action)
}

/// What an insert does, likewise.
pub fn create<M: Evented>(new: &M::New) -> Step<'_, M> {
    Step::Create(new)
}

/// The action of a payload.
///
/// # Errors
///
/// If it does not have that form.
pub fn read_action<M, A: ActionOf<M>>(payload: Payload<'_>) -> Result<A, PayloadError> {
    payload.read()
}

/// The new record of a payload.
///
/// # Errors
///
/// If it does not have that form.
pub fn read_new<M: Evented>(payload: Payload<'_>) -> Result<M::New, PayloadError> {
    payload.read()
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
