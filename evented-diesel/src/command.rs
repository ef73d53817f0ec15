//! Commands: what is to be done to a record, as values.

use std::fmt;

use chrono::{DateTime, Utc};
use evented_core::{AnyAction, Evented, Meta, Position};
use serde_json::Value;
use uuid::Uuid;

use crate::backend::Dialect;
use crate::error::Error;
use crate::link::{Link, NewLink, NoFields};
use crate::listen;
use crate::log::EventLog as _;
use crate::model::{Model, Rows};
use crate::observe;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::steps;

/// A change of a record, built first and run later: `.run(&mut conn)?`, or `.run(&mut conn).await?`.
///
/// `Item::insert(…)`, `item.update(…)`, `item.archive(…)`, `item.delete()` and `Item::savepoint(…)` make one. Run, it
/// appends one event and changes the row with it, both or neither, and gives the record as the database holds it
/// afterwards (for a delete: as it was).
#[must_use = "a command does nothing until it is run"]
pub struct Command<M: Evented> {
    pub(crate) kind: Kind<M>,
    pub(crate) options: Options,
}

pub(crate) enum Kind<M: Evented> {
    Insert(Box<M::New>),
    Change(Target<M>, Box<dyn AnyAction<M>>),
    Delete(Target<M>),
    Savepoint(Target<M>),
}

/// What every command may say besides its action.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) meta: Meta,
    pub(crate) expecting: Option<i64>,
    pub(crate) event_id: Option<Uuid>,
    pub(crate) at: Option<DateTime<Utc>>,
    /// Whether the event's position is part of the result.
    pub(crate) placed: bool,
    /// What the event is linked to.
    pub(crate) links: Vec<NewLink>,
}

/// The record a command is about: by key, or at hand.
#[derive(Debug, Clone)]
pub struct Target<M: Evented> {
    pub(crate) key: M::Key,
    /// The record as the caller has it, if its own revision says how old it is.
    pub(crate) known: Option<M>,
}

/// What names a record: the record itself, by reference, or its key. The derive implements it for both.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a `{M}`",
    label = "neither `&{M}` nor its key",
    note = "pass the record by reference, or its key by value"
)]
pub trait IntoTarget<M: Evented> {
    /// The record's key, and the record if it is at hand.
    fn into_target(self) -> Target<M>;
}

impl<M: Evented> Target<M> {
    /// The record with this key.
    pub fn by_key(key: M::Key) -> Self {
        Self { key, known: None }
    }

    /// This record.
    pub fn record(record: &M) -> Self {
        Self { key: record.key().clone(), known: record.revision().map(|_| record.clone()) }
    }
}

impl<M: Evented> Command<M> {
    fn new(kind: Kind<M>) -> Self {
        Self { kind, options: Options::default() }
    }

    /// Makes a record.
    pub fn insert(new: M::New) -> Self {
        Self::new(Kind::Insert(Box::new(new)))
    }

    /// Changes a record.
    pub fn change(target: impl IntoTarget<M>, change: impl AnyAction<M> + 'static) -> Self {
        Self::new(Kind::Change(target.into_target(), Box::new(change)))
    }

    /// Removes a record; its log stays.
    pub fn delete(target: impl IntoTarget<M>) -> Self {
        Self::new(Kind::Delete(target.into_target()))
    }

    /// Writes the whole state of a record into its log, so that replay may start there.
    pub fn savepoint(target: impl IntoTarget<M>) -> Self {
        Self::new(Kind::Savepoint(target.into_target()))
    }

    /// Says who does it: a user, a service, a job. An action sees it as [`Context::actor`](crate::Context::actor).
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.options.meta.actor = Some(actor.into());
        self
    }

    /// Adds entries to the event's `meta`: the fields of a JSON object. Other values go under the key `value`. The keys
    /// `actor`, `cause` and `correlation` say what [`by`](Self::by), [`caused_by`](Self::caused_by) and
    /// [`correlate`](Self::correlate) say.
    pub fn meta(mut self, entries: impl Into<Value>) -> Self {
        match entries.into() {
            Value::Object(entries) => self.options.meta.extend(entries),
            other => {
                self.options.meta.own.insert("value".to_owned(), other);
            }
        }
        self
    }

    /// Says which event caused this one.
    pub fn caused_by(mut self, event: Uuid) -> Self {
        self.options.meta.cause = Some(event);
        self
    }

    /// Says what this event belongs to: a request, a job, a conversation.
    pub fn correlate(mut self, id: Uuid) -> Self {
        self.options.meta.correlation = Some(id);
        self
    }

    /// Runs only if the record is at this revision; otherwise [`Error::Conflict`] says at which one it is.
    ///
    /// Savepoints and unrecorded changes that were put into the log count as revisions. An insert takes no notice of
    /// it.
    pub fn expecting(mut self, revision: i64) -> Self {
        self.options.expecting = Some(revision);
        self
    }

    /// Gives the event an id of the caller's, so that running the command again does nothing and gives the first
    /// run's result: the record as that event left it, from the log.
    ///
    /// Only the id and the record are compared, not the action. Of runs at the same moment one is done, and the others
    /// wait and give its result.
    pub fn idempotent(mut self, event_id: Uuid) -> Self {
        self.options.event_id = Some(event_id);
        self
    }

    /// Says when it happened, for imports; now otherwise. It is cut to the microsecond. Order in the log is by revision
    /// and position, never by time.
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.options.at = Some(time);
        self
    }

    /// Links the event to an earlier one of its record. See [`Link`]. It takes a transaction.
    ///
    /// Running it fails with [`Error::Link`] if the record has no such event; nothing is written then.
    pub fn link<L: Link<Log = M::Log>>(mut self, link: L, event: Uuid) -> Self
    where
        M: Model,
        L::Data: NoFields,
    {
        let _ = link;
        self.options.links.push(NewLink::plain::<L>(event));
        self
    }

    /// Links the event to an earlier one of its record, with the fields of that link.
    pub fn link_with<L: Link<Log = M::Log>>(mut self, link: L, event: Uuid, data: &L::Data) -> Self
    where
        M: Model,
    {
        let _ = link;
        self.options.links.push(NewLink::typed::<L>(event, data));
        self
    }

    /// Gives the event's place in the log along with the record.
    pub fn recorded(mut self) -> Recording<M> {
        self.options.placed = true;
        Recording(self)
    }
}

/// A command that gives a [`Recorded`]: its event's place in the log along with the record. See [`Command::recorded`].
#[derive(Debug)]
#[must_use = "a command does nothing until it is run"]
pub struct Recording<M: Evented>(pub(crate) Command<M>);

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<M> {
    /// The record as the database holds it now; for a delete, as it was.
    pub record: M,
    /// The event's id.
    pub event_id: Uuid,
    /// Its place in the record's history.
    pub revision: i64,
    /// Its place in the log.
    pub position: i64,
    /// The transaction that wrote it; 0 on SQLite.
    pub txid: i64,
}

impl<M: Model> Recorded<M> {
    /// Its place in the stream of changes: wait for it with [`Hub::wait_for`](crate::listen::Hub::wait_for), here or in
    /// another process.
    #[must_use]
    pub fn position(&self) -> Position {
        let stream = listen::log::stream_of(M::Log::NAME);
        Position::new(stream, self.txid.cast_unsigned(), self.position.cast_unsigned())
    }
}

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for Command<M> {
    type Output = M;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<M, Error> {
        Ok(run(driver, &self).await?.record)
    }
}

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for Recording<M> {
    type Output = Recorded<M>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Recorded<M>, Error> {
        run(driver, &self.0).await
    }
}

async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    command: &Command<M>,
) -> Result<Recorded<M>, Error> {
    let (action, key) = command.says();
    let span = observe::command(M::SCHEMA, action);
    if let Some(key) = key {
        span.record("record", tracing::field::display(M::key_value(key)));
    }
    if span.is_disabled() {
        let done = steps::command::run(driver, command).await?;
        listen::hint(driver);
        return Ok(done);
    }
    let done = observe::within(span.clone(), Box::pin(steps::command::run(driver, command))).await?;
    listen::hint(driver);
    span.record("record", tracing::field::display(M::key_value(done.record.key())));
    span.record("revision", done.revision);
    Ok(done)
}

impl<M: Evented> Command<M> {
    /// Which action it is, and of which record, if that is known.
    fn says(&self) -> (&'static str, Option<&M::Key>) {
        match &self.kind {
            Kind::Insert(_) => (evented_core::names::INSERT, None),
            Kind::Change(target, change) => (change.name(), Some(&target.key)),
            Kind::Delete(target) => (evented_core::names::DELETE, Some(&target.key)),
            Kind::Savepoint(target) => (evented_core::names::SAVEPOINT, Some(&target.key)),
        }
    }
}

impl<M: Evented> fmt::Debug for Command<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, key) = self.says();
        f.debug_struct("Command").field("action", &action).field("key", &key).finish_non_exhaustive()
    }
}
