//! Events: as stored, and typed.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{Action, Attrs, Context, Create, Digest, Evented, External, Fields, Json, Meta};

/// The names of the actions that every model has.
pub mod names {
    /// A record is made.
    pub const INSERT: &str = "insert";
    /// Some of its fields change.
    pub const UPDATE: &str = "update";
    /// It is removed; its log stays.
    pub const DELETE: &str = "delete";
    /// A change that nobody recorded, found and put into the log.
    pub const EXTERNAL: &str = "external";
    /// The whole state, from which replay may start.
    pub const SAVEPOINT: &str = "savepoint";
}

/// One event as the log keeps it, without its record's key.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Order in the log.
    pub position: i64,
    /// The transaction that wrote it; with the position it orders the log without gaps. 0 on SQLite.
    pub txid: i64,
    /// The event's id.
    pub id: Uuid,
    /// Order in its record: 1, 2, 3, …
    pub revision: i64,
    /// The action's name in the log.
    pub action: String,
    /// The schema version it was written under.
    pub version: i32,
    /// The action's own form.
    pub payload: Json,
    /// Actor, cause, correlation and the caller's own entries.
    pub meta: Option<Json>,
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// The digest of the state it produced.
    pub state: Digest,
}

impl StoredEvent {
    /// The event, typed.
    ///
    /// # Errors
    ///
    /// An unknown action, a version newer than the code's, or a payload that does not decode.
    pub fn decode<M: Evented>(&self) -> Result<M::Event, PayloadError> {
        let payload = Payload::of::<M>(&self.action, self.version, &self.payload)?;
        M::Event::decode(&self.action, payload)
    }

    /// The circumstances, as the action's `apply` sees them.
    #[must_use]
    pub fn context(&self) -> Context {
        let actor = self.meta.as_ref().and_then(Meta::actor_of);
        Context::new(self.at, self.id, actor, self.version)
    }
}

/// The typed events of a model: an enum with one variant per action, written by the derive.
pub trait EventBody<M: Evented>: Sized + fmt::Debug + Clone + Send + Sync + 'static {
    /// Reads the payload of an action.
    ///
    /// # Errors
    ///
    /// An unknown action, or a payload that does not decode.
    fn decode(action: &str, payload: Payload<'_>) -> Result<Self, PayloadError>;
    /// What the event does to the state.
    fn step(&self) -> Step<'_, M>;
}

/// What an event does to the state of its record.
#[expect(missing_debug_implementations, reason = "holds trait objects of the user's actions")]
pub enum Step<'a, M: Evented> {
    /// Makes the record.
    Create(&'a dyn Create<M>),
    /// Changes it.
    Change(&'a dyn Action<M>),
    /// Changes it as an action did that exists no more.
    Retired(&'a Retired<M>),
    /// Removes it.
    Delete,
    /// Somebody changed the row behind the log's back.
    External(&'a External),
    /// Says the whole state.
    Savepoint(&'a Fields),
}

/// An event of an action that exists no more, with the function that replays it.
pub struct Retired<M> {
    /// The payload, brought to today's version.
    pub attrs: Attrs,
    apply: fn(&Attrs, &mut M, &Context),
}

impl<M> Retired<M> {
    /// Does to the record what the action did.
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

/// The payload of one event on its way to a type: as stored if it is of today's version, else upcast.
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
    Upcast(Attrs),
    /// An `external` event: its two sides are upcast each on its own.
    External(External),
}

/// Why a payload could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The log has an action that the model does not know.
    #[error(
        "the model has no action of that name; list it in `actions`, or in `aliases` or `retired` if it is old"
    )]
    UnknownAction,
    /// The event was written by a newer version of the model.
    #[error("it was written under schema version {found}, and this program knows versions up to {known}")]
    NewerVersion {
        /// The event's version.
        found: i32,
        /// The program's version.
        known: i32,
    },
    /// The payload does not have the form of its action.
    #[error("its payload does not decode: {0}")]
    Form(#[from] serde_json::Error),
}

impl<'a> Payload<'a> {
    /// A payload of today's form.
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
        let upcast = |attrs: Attrs| {
            let mut attrs = attrs;
            M::upcast(&mut attrs);
            attrs
        };
        if action == names::EXTERNAL {
            let external: External = json.read()?;
            let side = |side: Option<Fields>| {
                side.map(|fields| upcast(Attrs::from_fields(action, version, fields)).into_fields())
            };
            let external = External { from: side(external.from), to: side(external.to) };
            return Ok(Self { form: Form::External(external) });
        }
        Ok(Self { form: Form::Upcast(upcast(Attrs::new(action, version, json.read()?))) })
    }

    /// The payload as an action, a new record, or the fields of a savepoint.
    ///
    /// # Errors
    ///
    /// If it does not have the form of a `T`.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, PayloadError> {
        Ok(match self.form {
            Form::Today { json, .. } => json.read()?,
            Form::Upcast(attrs) => serde_json::from_value(attrs.into_value())?,
            Form::External(external) => serde_json::from_value(serde_json::to_value(external)?)?,
        })
    }

    /// The payload as a change that nobody recorded.
    ///
    /// # Errors
    ///
    /// If it does not have that form.
    pub fn external(self) -> Result<External, PayloadError> {
        match self.form {
            Form::External(external) => Ok(external),
            Form::Today { .. } | Form::Upcast(_) => self.read(),
        }
    }

    /// The payload of an action that exists no more.
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn retired<M>(self, apply: fn(&Attrs, &mut M, &Context)) -> Result<Retired<M>, PayloadError> {
        let attrs = match self.form {
            Form::Today { action, version, json } => Attrs::new(action, version, json.read()?),
            Form::Upcast(attrs) => attrs,
            Form::External(external) => Attrs::new(names::EXTERNAL, 0, serde_json::to_value(external)?),
        };
        Ok(Retired { attrs, apply })
    }
}
