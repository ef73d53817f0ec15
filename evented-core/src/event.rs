//! Events, in stored and in typed form.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{Action, ActionOf, Context, Create, Digest, Evented, External, Fields, Json, Meta, RawPayload};

/// The names of the actions that every model has.
pub mod names {
    /// Creates a record.
    pub const INSERT: &str = "insert";
    /// Changes some fields of a record.
    pub const UPDATE: &str = "update";
    /// Deletes a record. Its events stay in the log.
    pub const DELETE: &str = "delete";
    /// A change of the row that no event recorded, detected later and added to the log.
    pub const EXTERNAL: &str = "external";
    /// The whole state of a record. Replay may start from it.
    pub const SAVEPOINT: &str = "savepoint";
}

/// The content of an event: all that replay reads of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventData {
    /// The event's id.
    pub id: Uuid,
    /// The number of the event in its record's history: 1, 2, 3, …
    pub revision: i64,
    /// The action's name in the log.
    pub action: String,
    /// The schema version that the event was written under.
    pub version: i32,
    /// The action in its JSON form.
    pub payload: Json,
    /// Actor, cause, correlation and the caller's own entries; `None` if there are none.
    pub meta: Option<Json>,
    /// When it happened, to the microsecond.
    pub at: DateTime<Utc>,
}

/// The offset of an event in its log. Offsets are ordered by transaction, and by position within a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogOffset {
    /// The transaction that orders the event; 0 on SQLite, which numbers no transactions.
    pub txid: i64,
    /// The event's number in the log. It is unique and increases, but on PostgreSQL events may commit out of this
    /// order.
    pub position: i64,
}

/// One event as the log stores it, without its record's key.
///
/// An event that was read without the digest of its state is an [`EventData`] instead.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The content of the event.
    pub data: EventData,
    /// The event's offset in the log.
    pub offset: LogOffset,
    /// The digest of the state after the event; [`Digest::NOTHING`] for a delete.
    pub state: Digest,
}

impl EventData {
    /// Decodes the event into the model's event type.
    ///
    /// # Errors
    ///
    /// An unknown action, a schema version newer than the program's, or a payload that does not decode.
    pub fn decode<M: Evented>(&self) -> Result<M::Event, PayloadError> {
        let payload = Payload::of::<M>(&self.action, self.version, &self.payload)?;
        M::Event::decode(&self.action, payload)
    }

    /// Decodes the event as the action `A`; `None` if it is of another action.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_action<M: Evented, A: ActionOf<M>>(&self) -> Result<Option<A>, PayloadError> {
        if self.action != A::NAME && !A::ALIASES.contains(&self.action.as_str()) {
            return Ok(None);
        }
        Payload::of::<M>(&self.action, self.version, &self.payload)?.read().map(Some)
    }

    /// The circumstances of the event, as the action's `apply` receives them.
    #[must_use]
    pub fn context(&self) -> Context {
        let actor = self.meta.as_ref().and_then(Meta::actor_of);
        Context::new(self.at, self.id, actor, self.version)
    }
}

/// The typed events of a model: an enum with one variant per action, which the derive generates.
pub trait EventBody<M: Evented>: Sized + fmt::Debug + Clone + Send + Sync + 'static {
    /// Decodes the payload of an action.
    ///
    /// # Errors
    ///
    /// An unknown action, or a payload that does not decode.
    fn decode(action: &str, payload: Payload<'_>) -> Result<Self, PayloadError>;
    /// What the event does to the state of its record.
    fn step(&self) -> Step<'_, M>;
}

/// What an event does to the state of its record.
#[expect(missing_debug_implementations, reason = "holds trait objects of the user's actions")]
pub enum Step<'a, M: Evented> {
    /// Creates the record.
    Create(&'a dyn Create<M>),
    /// Changes the record.
    Change(&'a dyn Action<M>),
    /// Changes the record by an action that the model no longer has.
    Retired(&'a Retired<M>),
    /// Deletes the record.
    Delete,
    /// Applies a change of the row that was made without an event.
    External(&'a External),
    /// Sets the whole state.
    Savepoint(&'a Fields),
}

/// An event of an action that the model no longer has, with the function that replays it.
pub struct Retired<M> {
    /// The payload, upcast to the current schema version.
    pub attrs: RawPayload,
    apply: fn(&RawPayload, &mut M, &Context),
}

impl<M> Retired<M> {
    /// Applies the event to the record, as the action did.
    pub fn apply(&self, record: &mut M, cx: &Context) {
        (self.apply)(&self.attrs, record, cx);
    }
}
impl<M> Clone for Retired<M> {
    fn clone(&self) -> Self {
        Self { attrs: self.attrs.clone(), apply: self.apply }
    }
}
impl<M> fmt::Debug for Retired<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retired").field("attrs", &self.attrs).finish_non_exhaustive()
    }
}

/// The payload of one event before it is decoded: as stored if it has the current schema version, else upcast.
#[derive(Debug)]
pub struct Payload<'a> {
    form: Form<'a>,
}

#[derive(Debug)]
enum Form<'a> {
    Today {
        action: &'a str,
        version: i32,
        json: &'a Json,
    },
    Upcast(RawPayload),
    /// An `external` event. Its two sides are upcast separately.
    External(External),
}

/// Why a payload could not be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The log has an action that the model does not have.
    #[error(
        "the model has no action of that name; list it in `actions`, or in `aliases` or `retired` if it is old"
    )]
    UnknownAction,
    /// A newer version of the model wrote the event.
    #[error("it was written under schema version {found}, and this program knows versions up to {known}")]
    NewerVersion {
        /// The event's version.
        found: i32,
        /// The program's version.
        known: i32,
    },
    /// The payload does not have the form of its action.
    #[error("its payload does not decode: {0}")]
    Form(serde_json::Error),
    /// The payload has not a field that the action has today.
    #[error(
        "its payload does not decode: {error}. No step adds it to events of version {version}; if it is a field of the \
         model, write `#[evented(added(version = n))]` on the field, with the version that has it first; otherwise add it \
         in a step, `#[evented(upcast({version} = your_fn))]`"
    )]
    MissingField {
        /// The event's version.
        version: i32,
        /// The error that serde reported, which names the field.
        error: serde_json::Error,
    },
}

impl From<serde_json::Error> for PayloadError {
    fn from(error: serde_json::Error) -> Self {
        Self::Form(error)
    }
}

impl PayloadError {
    fn of_version(version: i32, error: serde_json::Error) -> Self {
        // serde has no other sign of it.
        if error.is_data() && error.to_string().starts_with("missing field ") {
            return Self::MissingField { version, error };
        }
        Self::Form(error)
    }
}

impl<'a> Payload<'a> {
    /// A payload in the form of the current schema version.
    pub(crate) fn today(action: &'a str, version: i32, json: &'a Json) -> Self {
        Self { form: Form::Today { action, version, json } }
    }

    fn of<M: Evented>(action: &'a str, version: i32, json: &'a Json) -> Result<Self, PayloadError> {
        if version > M::VERSION {
            return Err(PayloadError::NewerVersion { found: version, known: M::VERSION });
        }
        if version == M::VERSION {
            let form = Form::Today { action, version, json };
            return Ok(Self { form });
        }
        let upcast = |attrs: RawPayload| {
            let mut attrs = attrs;
            M::upcast(&mut attrs);
            attrs
        };
        if action == names::EXTERNAL {
            let external: External = json.read()?;
            let partial = external.from.is_some() && external.to.is_some();
            let side = |side: Option<Fields>| {
                side.map(|fields| upcast(RawPayload::of_external(version, fields, partial)).into_fields())
            };
            let external = External { from: side(external.from), to: side(external.to) };
            return Ok(Self { form: Form::External(external) });
        }
        Ok(Self { form: Form::Upcast(upcast(RawPayload::new(action, version, json.read()?))) })
    }

    /// Decodes the payload as an action, a new record, or the fields of a savepoint.
    ///
    /// # Errors
    ///
    /// If the payload does not have the form of a `T`.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, PayloadError> {
        Ok(match self.form {
            Form::Today { json, version, .. } => {
                json.read().map_err(|error| PayloadError::of_version(version, error))?
            }
            Form::Upcast(attrs) => {
                let version = attrs.version();
                serde_json::from_value(attrs.into_value())
                    .map_err(|error| PayloadError::of_version(version, error))?
            }
            Form::External(external) => serde_json::from_value(serde_json::to_value(external)?)?,
        })
    }

    /// Decodes the payload as an external change.
    ///
    /// # Errors
    ///
    /// If the payload does not have the form of an [`External`].
    pub fn external(self) -> Result<External, PayloadError> {
        match self.form {
            Form::External(external) => Ok(external),
            Form::Today { .. } | Form::Upcast(_) => self.read(),
        }
    }

    /// The payload of an action that the model no longer has, with the function `apply` that replays it.
    ///
    /// # Errors
    ///
    /// If the payload is not JSON.
    pub fn retired<M>(self, apply: fn(&RawPayload, &mut M, &Context)) -> Result<Retired<M>, PayloadError> {
        let attrs = match self.form {
            Form::Today { action, version, json } => RawPayload::new(action, version, json.read()?),
            Form::Upcast(attrs) => attrs,
            Form::External(external) => RawPayload::new(names::EXTERNAL, 0, serde_json::to_value(external)?),
        };
        Ok(Retired { attrs, apply })
    }
}
