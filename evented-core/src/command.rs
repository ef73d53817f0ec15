//! From a request and a state to a decision: the event to append and the state it leads to.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ActionOf, Context, Create, EventBody, Evented, FieldDigests, FieldError, Invalid, Json, Payload,
    PayloadError, Step, Unstorable, names,
};

/// An action whose type is forgotten, so that commands of one model are of one type.
pub trait AnyAction<M>: Send + Sync {
    /// The action's name in the log.
    fn name(&self) -> &'static str;
    /// The rule on new input.
    ///
    /// # Errors
    ///
    /// The faults of the input.
    fn check(&self, record: &M, cx: &Context) -> Result<(), Invalid>;
    /// The change.
    fn apply(&self, record: &mut M, cx: &Context);
    /// The payload.
    ///
    /// # Errors
    ///
    /// If the action has no JSON form.
    fn payload(&self) -> Result<Json, serde_json::Error>;
}

impl<M, A: ActionOf<M>> AnyAction<M> for A {
    fn name(&self) -> &'static str {
        A::NAME
    }
    fn check(&self, record: &M, cx: &Context) -> Result<(), Invalid> {
        A::check(self, record, cx)
    }
    fn apply(&self, record: &mut M, cx: &Context) {
        A::apply(self, record, cx);
    }
    fn payload(&self) -> Result<Json, serde_json::Error> {
        faithful(self)
    }
}

/// A decision: the event to append, and the state it leads to.
#[derive(Debug, Clone)]
pub struct Decision<M> {
    /// The event's id.
    pub event_id: Uuid,
    /// Its action.
    pub action: &'static str,
    /// Its payload.
    pub payload: Json,
    /// Its time.
    pub at: DateTime<Utc>,
    /// The state it leads to.
    pub after: M,
    /// The digests of that state's fields.
    pub digests: FieldDigests,
}

/// Why no decision could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// The input has faults.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The new state holds a value that no database keeps faithfully.
    #[error(transparent)]
    Unstorable(#[from] Unstorable),
    /// A field has no JSON form.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The action has no JSON form.
    #[error("the input has no JSON form: {0}")]
    Payload(#[from] serde_json::Error),
}

/// Decides on a new record.
///
/// # Errors
///
/// The faults of the input, or a value that cannot be stored.
pub fn decide_create<M: Evented>(new: &M::New, key: M::Key, cx: &Context) -> Result<Decision<M>, Undecided> {
    new.check(cx)?;
    let mut after = new.create(key, cx);
    after.touch(true, cx.at);
    decision(names::INSERT, faithful(new)?, after, cx)
}

/// Decides on a change of a record.
///
/// # Errors
///
/// The faults of the input, or a value that cannot be stored.
pub fn decide_change<M: Evented>(
    before: &M,
    change: &dyn AnyAction<M>,
    cx: &Context,
) -> Result<Decision<M>, Undecided> {
    change.check(before, cx)?;
    let mut after = before.clone();
    change.apply(&mut after, cx);
    // The key is the record's name: an action that assigns it changes nothing.
    after.set_key(before.key().clone());
    after.touch(false, cx.at);
    decision(change.name(), change.payload()?, after, cx)
}

/// Decides anew after the payload of an event was changed: the state is the one that replay will come to.
///
/// `before` is the record as it was; `None` for a new one.
///
/// # Errors
///
/// A payload that does not have the form of its action, or a state that is refused.
pub fn decide_again<M: Evented>(
    key: M::Key,
    before: Option<&M>,
    action: &'static str,
    payload: Json,
    cx: &Context,
) -> Result<Decision<M>, Undecided> {
    let form = |error: PayloadError| Undecided::Payload(serde::ser::Error::custom(error));
    let payload_form = Payload::today(action, M::VERSION, &payload);
    let body = M::Event::decode(action, payload_form).map_err(form)?;
    let missing = || Undecided::Payload(serde::ser::Error::custom("it changes a record that does not exist"));
    let after = match body.step() {
        Step::Create(new) => {
            let mut after = new.create(key, cx);
            after.touch(true, cx.at);
            after
        }
        Step::Change(change) => {
            let mut after = before.cloned().ok_or_else(missing)?;
            change.apply(&mut after, cx);
            after.set_key(key);
            after.touch(false, cx.at);
            after
        }
        Step::Retired(_) | Step::Delete | Step::External(_) | Step::Savepoint(_) => return Err(missing()),
    };
    decision(action, payload, after, cx)
}

fn decision<M: Evented>(
    action: &'static str,
    payload: Json,
    mut after: M,
    cx: &Context,
) -> Result<Decision<M>, Undecided> {
    after.normalize();
    after.check_state()?;
    let digests = after.digests()?;
    Ok(Decision { event_id: cx.event_id, action, payload, at: cx.at, after, digests })
}

/// The JSON form of an input, if it is a faithful one: serde_json writes NaN and the infinities as `null`, which
/// would come back as something else.
fn faithful<T: Serialize>(input: &T) -> Result<Json, serde_json::Error> {
    let json = Json::write(input)?;
    if json.as_str().contains("null") {
        crate::digest::canonical::check_finite(input).map_err(serde::ser::Error::custom)?;
    }
    Ok(json)
}
