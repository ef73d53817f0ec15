//! Decides what a command does: the event to append, and the state after it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ActionOf, Context, Create, EventBody, Evented, FieldDigests, FieldError, Json, JsonError, Payload,
    PayloadError, Step, Unstorable, ValidationErrors, names,
};

/// An action behind a trait object, so that all commands of a model have one type.
pub trait AnyAction<M>: Send + Sync {
    /// The action's name in the log.
    fn name(&self) -> &'static str;
    /// [`Action::check`](crate::Action::check) of the action.
    ///
    /// # Errors
    ///
    /// The errors of the input.
    fn check(&self, record: &M, cx: &Context) -> Result<(), ValidationErrors>;
    /// [`Action::apply`](crate::Action::apply) of the action.
    fn apply(&self, record: &mut M, cx: &Context);
    /// The JSON form of the action.
    ///
    /// # Errors
    ///
    /// [`JsonError`], also for NaN and the infinities.
    fn payload(&self) -> Result<Json, JsonError>;
}

impl<M, A: ActionOf<M>> AnyAction<M> for A {
    fn name(&self) -> &'static str {
        A::NAME
    }
    fn check(&self, record: &M, cx: &Context) -> Result<(), ValidationErrors> {
        A::check(self, record, cx)
    }
    fn apply(&self, record: &mut M, cx: &Context) {
        A::apply(self, record, cx);
    }
    fn payload(&self) -> Result<Json, JsonError> {
        faithful(self)
    }
}

/// A decision: the event to append, and the state after it.
#[derive(Debug, Clone)]
pub struct Decision<M> {
    /// The event's id.
    pub event_id: Uuid,
    /// The name of the event's action in the log.
    pub action: &'static str,
    /// The action in its JSON form.
    pub payload: Json,
    /// When the event was made, to the microsecond.
    pub at: DateTime<Utc>,
    /// The state after the event.
    pub after: M,
    /// The digests of the fields of `after`.
    pub digests: FieldDigests,
}

/// Why a command led to no decision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// The input has errors.
    #[error(transparent)]
    Invalid(#[from] ValidationErrors),
    /// The new state has a value that no database stores faithfully.
    #[error(transparent)]
    Unstorable(#[from] Unstorable),
    /// A field has no JSON form.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The action cannot be written as JSON.
    #[error("the input cannot be stored as JSON: {0}")]
    Payload(JsonError),
    /// A payload that `before_append` changed no longer has the form of its action.
    #[error(transparent)]
    Decode(#[from] PayloadError),
    /// The action changes a record, and the record does not exist.
    #[error("it changes a record that does not exist")]
    NoRecord,
}

/// Decides on an insert.
///
/// If the database fills a field, nothing is checked yet: see [`Create::left_to_database`](crate::Create). The completed
/// input is decided on again, and then checked.
///
/// # Errors
///
/// The errors of the input, or a value that cannot be stored.
pub fn decide_create<M: Evented>(new: &M::New, key: M::Key, cx: &Context) -> Result<Decision<M>, Undecided> {
    let completed = new.completed(None);
    let new = completed.as_ref().unwrap_or(new);
    let is_complete = new.left_to_database().is_empty();
    if is_complete {
        new.check(cx)?;
    }
    let mut after = new.create(key, cx);
    after.touch(true, cx.at);
    after.normalize();
    if is_complete {
        after.check_state()?;
    }
    decision(names::INSERT, || faithful(new), after, cx)
}

/// Decides on a change of an existing record.
///
/// # Errors
///
/// The errors of the input, or a value that cannot be stored.
pub fn decide_change<M: Evented>(
    before: &M,
    change: &dyn AnyAction<M>,
    cx: &Context,
) -> Result<Decision<M>, Undecided> {
    change.check(before, cx)?;
    let mut after = before.copy();
    change.apply(&mut after, cx);
    // The key identifies the record: an assignment to it by an action has no effect.
    after.set_key(before.key());
    after.touch(false, cx.at);
    after.normalize();
    after.check_state()?;
    decision(change.name(), || change.payload(), after, cx)
}

/// Decides again after the payload of an event was changed. The resulting state is the one that replay will produce.
///
/// `before` is the record before the event; `None` for a new record.
///
/// # Errors
///
/// A payload that does not have the form of its action, or a state that [`Evented::check_state`] refuses or that
/// cannot be stored.
pub fn decide_again<M: Evented>(
    key: M::Key,
    before: Option<&M>,
    action: &'static str,
    payload: Json,
    cx: &Context,
) -> Result<Decision<M>, Undecided> {
    let payload_form = Payload::today(action, M::VERSION, &payload);
    let body = M::Event::decode(action, payload_form)?;
    let mut is_complete = true;
    let mut after = match body.step() {
        Step::Create(new) => {
            let mut after = new.create(key, cx);
            after.touch(true, cx.at);
            is_complete = new.left_to_database().is_empty();
            after
        }
        Step::Change(change) => {
            let mut after = before.map(M::copy).ok_or(Undecided::NoRecord)?;
            change.apply(&mut after, cx);
            after.set_key(key);
            after.touch(false, cx.at);
            after
        }
        Step::Retired(_) | Step::Delete | Step::External(_) | Step::Savepoint(_) => {
            return Err(Undecided::NoRecord);
        }
    };
    after.normalize();
    if is_complete {
        after.check_state()?;
    }
    decision(action, || Ok(payload), after, cx)
}

/// Decides after the state is known. Its fields are checked before the payload, because their errors name them.
fn decision<M: Evented>(
    action: &'static str,
    payload: impl FnOnce() -> Result<Json, JsonError>,
    after: M,
    cx: &Context,
) -> Result<Decision<M>, Undecided> {
    let digests = after.digests()?;
    let payload = payload().map_err(Undecided::Payload)?;
    Ok(Decision { event_id: cx.event_id, action, payload, at: cx.at, after, digests })
}

/// The JSON form of an input. Refuses NaN and the infinities: serde_json writes them as `null`, which would be read
/// back as a different value.
fn faithful<T: Serialize>(input: &T) -> Result<Json, JsonError> {
    let json = Json::write(input)?;
    if json.as_str().contains("null") {
        let checked = crate::digest::canonical::check_finite(input);
        checked.map_err(|error| JsonError::Serialize(serde::ser::Error::custom(error)))?;
    }
    Ok(json)
}
