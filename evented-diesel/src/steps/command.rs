//! From a command to what it did.

use chrono::Utc;
use evented_core::{Chained, Context, Digest, EventHash, Evented, Json, KeyValue, micros};
use uuid::Uuid;

use super::{change, create, load, remove, savepoint};
use crate::backend::Dialect;
use crate::command::{Command, Kind, Options, Recorded};
use crate::error::{Error, RecordName};
use crate::log::EventLog;
use crate::model::{Model, Rows};
use crate::observe;
use crate::run::driver::Driver;
use crate::statement::{Append, HeadRow};

/// How often a write is tried before it gives up against other writers.
pub(crate) const ATTEMPTS: u32 = 16;

pub(crate) async fn run<DB, M, D>(driver: &mut D, command: &Command<M>) -> Result<Recorded<M>, Error>
where
    DB: Dialect,
    M: Rows<DB>,
    D: Driver<DB>,
{
    let options = &command.options;
    match &command.kind {
        Kind::Insert(new) => create::run(driver, new.as_ref(), options).await,
        Kind::Change(target, action) => {
            let record = Record::<M>::new(target.key.clone());
            match load::repeated(driver, &record, options).await? {
                Some(first) => Ok(first),
                None => change::run(driver, &record, target.known.as_ref(), action.as_ref(), options).await,
            }
        }
        Kind::Delete(target) => {
            let record = Record::<M>::new(target.key.clone());
            match load::repeated(driver, &record, options).await? {
                Some(first) => Ok(first),
                None => remove::run(driver, &record, options).await,
            }
        }
        Kind::Savepoint(target) => {
            let record = Record::<M>::new(target.key.clone());
            match load::repeated(driver, &record, options).await? {
                Some(first) => Ok(first),
                None => savepoint::run(driver, &record, options).await,
            }
        }
    }
}

/// A record's key in its two forms.
pub(crate) struct Record<M: Evented> {
    pub(crate) key: M::Key,
    pub(crate) value: KeyValue,
}

impl<M: Model> Record<M> {
    pub(crate) fn new(key: M::Key) -> Self {
        let value = M::key_value(&key);
        Self { key, value }
    }

    pub(crate) fn name(&self) -> RecordName {
        RecordName { schema: M::SCHEMA, key: Some(self.value.clone()) }
    }

    /// What the database said, with the record's name on it.
    pub(crate) fn failed(&self, error: diesel::result::Error) -> Error {
        Error::database(self.name(), error)
    }
}

impl Options {
    /// The circumstances of one attempt: a new event id each time, unless the caller gave one.
    pub(crate) fn context<M: Evented>(&self) -> Context {
        let at = self.at.unwrap_or_else(Utc::now);
        let event_id = self.event_id.unwrap_or_else(Uuid::now_v7);
        Context::new(micros(at), event_id, self.meta.actor.clone(), M::VERSION)
    }

    pub(crate) fn check_expected<M: Model>(&self, record: &Record<M>, found: i64) -> Result<(), Error> {
        match self.expecting {
            Some(expected) if expected != found => {
                observe::conflict(M::SCHEMA, &record.value, expected, found);
                Err(Error::Conflict { record: record.name(), expected, found })
            }
            _ => Ok(()),
        }
    }
}

/// Where a record's history stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// The last revision, 0 if there is none.
    pub(crate) revision: i64,
    /// The hash of its event, in a log that chains its events.
    pub(crate) hash: Option<EventHash>,
}

impl Head {
    /// There is no event yet.
    pub(crate) const NONE: Self = Self { revision: 0, hash: None };

    /// After an event that is to be appended.
    pub(crate) fn after(append: &Append<'_>) -> Self {
        Self { revision: append.revision, hash: append.hash }
    }
}

impl From<&HeadRow> for Head {
    fn from(row: &HeadRow) -> Self {
        Self { revision: row.revision, hash: row.hash }
    }
}

/// The event to append after another: what every kind of command fills in.
pub(crate) fn event<'a, M: Model>(
    cx: &Context,
    record: &'a KeyValue,
    head: Head,
    body: Body<'a>,
    meta: Option<&'a Json>,
) -> Append<'a> {
    let revision = head.revision.saturating_add(1);
    let chained = Chained {
        id: cx.event_id,
        schema: M::SCHEMA,
        record,
        revision,
        action: body.action,
        version: M::VERSION,
        at: cx.at,
        payload: body.payload,
        meta,
        state: body.state,
    };
    Append {
        place: M::place(record),
        hash: M::Log::HASHED.then(|| chained.hash(head.hash.as_ref())),
        schema: M::SCHEMA,
        record,
        event_id: cx.event_id,
        revision,
        action: body.action,
        version: M::VERSION,
        payload: body.payload,
        meta,
        at: cx.at,
        state: body.state,
        fresh: false,
        placed: true,
    }
}

/// What an event says.
#[derive(Clone, Copy)]
pub(crate) struct Body<'a> {
    pub(crate) action: &'a str,
    pub(crate) payload: &'a Json,
    pub(crate) state: &'a Digest,
}

pub(crate) fn empty_payload() -> Json {
    Json::from_text("{}".to_owned())
}
