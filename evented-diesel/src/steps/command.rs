//! From a command to what it did.

use chrono::Utc;
use evented_core::{Context, Digest, Evented, Json, KeyValue, micros};
use uuid::Uuid;

use super::{change, create, load, remove, savepoint};
use crate::backend::Dialect;
use crate::command::{Command, Kind, Options, Recorded};
use crate::error::{Error, RecordName};
use crate::model::{Model, Rows};
use crate::run::driver::Driver;
use crate::statement::Append;

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
                Err(Error::Conflict { record: record.name(), expected, found })
            }
            _ => Ok(()),
        }
    }
}

/// The event to append: what every kind of command fills in.
pub(crate) fn event<'a, M: Model>(
    cx: &Context,
    record: &'a KeyValue,
    revision: i64,
    body: Body<'a>,
    meta: Option<&'a Json>,
) -> Append<'a> {
    Append {
        log: M::LOG,
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
