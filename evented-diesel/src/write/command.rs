//! Defines commands: changes to records, as values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use evented_core::{AnyAction, Evented, IntoRecordRef, RecordRef};
use uuid::Uuid;

use crate::domain::{DomainEvent, NewPublication};
use crate::model::{Link, Model, NewLink, NoFields};
use crate::write::delayed::due_in;
use crate::write::options::{Options, event_options};

/// A change of a record. It is built first and run later: `.run(&mut conn)?`, or `.run(&mut conn).await?`.
///
/// `Item::insert(…)`, `item.update(…)`, `item.archive(…)`, `item.delete()` and `Item::savepoint(…)` create one. Running
/// it appends one event and changes the row; either both take effect or neither. It returns the record as the database
/// stores it afterwards (for a delete: as it was before).
#[must_use = "a command does nothing until it is run"]
pub struct Command<M: Evented> {
    pub(crate) kind: Kind<M>,
    pub(crate) options: Options,
}

pub(crate) enum Kind<M: Evented> {
    Insert(Arc<M::New>),
    Change(RecordRef<M>, Arc<dyn AnyAction<M>>),
    Delete(RecordRef<M>),
    Savepoint(RecordRef<M>),
}

impl<M: Evented> Command<M> {
    fn new(kind: Kind<M>) -> Self {
        Self { kind, options: Options::default() }
    }

    /// Creates a record.
    pub fn insert(new: M::New) -> Self {
        Self::new(Kind::Insert(Arc::new(new)))
    }

    /// Runs an action on a record.
    pub fn change(target: impl IntoRecordRef<M>, change: impl AnyAction<M> + 'static) -> Self {
        Self::new(Kind::Change(target.into_record_ref(), Arc::new(change)))
    }

    /// Removes a record's row. Its events stay in the log.
    pub fn delete(target: impl IntoRecordRef<M>) -> Self {
        Self::new(Kind::Delete(target.into_record_ref()))
    }

    /// Writes the whole state of a record into its log, so that replay can start there.
    pub fn savepoint(target: impl IntoRecordRef<M>) -> Self {
        Self::new(Kind::Savepoint(target.into_record_ref()))
    }

    event_options!();

    /// Runs the command only if the record is at this revision; otherwise it fails with [`Error::Conflict`], which
    /// contains the record's revision. Default: any revision.
    ///
    /// Savepoints and adopted changes count as revisions. An insert fails unless the revision is 0.
    ///
    /// [`Error::Conflict`]: crate::Error::Conflict
    pub fn expecting(mut self, revision: i64) -> Self {
        self.options.expecting = Some(revision);
        self
    }

    /// Sets the event's id, so that running the command again does nothing and returns the result of the first run: the
    /// record after that event, from the log. Default: a new id for each run.
    ///
    /// An id belongs to one command on one record. Running another command with it, another action or other input, fails
    /// with [`Error::Reused`]. (The input is not compared if the event was written under an older version of the model,
    /// or if the model has a hook.) A client that chooses the id itself could use one that is taken:
    /// [`request_id`](crate::request_id) makes an id from the client, the user and the client's own id.
    ///
    /// If several runs happen at the same time, one executes, and the others wait and return its result.
    ///
    /// [`Error::Reused`]: crate::Error::Reused
    pub fn idempotent(mut self, event_id: Uuid) -> Self {
        self.options.event_id = Some(event_id);
        self
    }

    /// Links the event to an earlier event of the same record. See [`Link`]. The command then uses a transaction.
    ///
    /// Running it fails with [`Error::Link`] if the record has no such event; nothing is written then.
    ///
    /// [`Error::Link`]: crate::Error::Link
    pub fn link<L: Link<Log = M::Log>>(mut self, link: L, event: Uuid) -> Self
    where
        M: Model,
        L::Data: NoFields,
    {
        let _ = link;
        self.options.links.push(NewLink::plain::<L>(event));
        self
    }

    /// Links the event to an earlier event of the same record, with the fields of the link.
    pub fn link_with<L: Link<Log = M::Log>>(mut self, link: L, event: Uuid, data: &L::Data) -> Self
    where
        M: Model,
    {
        let _ = link;
        self.options.links.push(NewLink::typed::<L>(event, data));
        self
    }

    /// Publishes a domain event, in the statement that writes the change: it is published if and only if the event of the
    /// command is recorded. A command can publish several, which keep their order.
    ///
    /// A repeated [`idempotent`](Self::idempotent) command publishes nothing, and neither does a command that fails. The
    /// cause of the domain event is the event of the command. On SQLite the command uses a transaction.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # mod example {
    /// use diesel::prelude::*;
    /// use evented_diesel::prelude::*;
    /// use evented_diesel::{DomainEvent, Error};
    /// # use serde::{Deserialize, Serialize};
    ///
    /// # diesel::table! { orders (id) { id -> Integer, total -> Integer, } }
    /// # #[derive(Evented, Clone, Debug)]
    /// # #[diesel(table_name = orders)]
    /// # struct Order { id: i32, total: i32 }
    /// #[derive(DomainEvent, Serialize, Deserialize, Debug)]
    /// #[domain_event(name = "order_raised", key = order)]
    /// struct OrderRaised { order: i32, by: i32 }
    ///
    /// fn raise(order: &Order, by: i32, conn: &mut SqliteConnection) -> Result<Order, Error> {
    ///     let changes = OrderChanges { total: Some(order.total + by) };
    ///     order.update(changes).publish(OrderRaised { order: order.id, by }).run(conn)
    /// }
    /// # }
    /// ```
    pub fn publish<E: DomainEvent>(mut self, event: E) -> Self {
        self.options.publishes.push(NewPublication::of(&event));
        self
    }

    /// Publishes a domain event with the change, as [`publish`](Self::publish) does, but after a time: see
    /// [`Publish::after`](crate::Publish::after). What decides is whether the change is made, not what becomes of the record later.
    pub fn publish_after<E: DomainEvent>(mut self, event: E, time: Duration) -> Self {
        self.options.publishes.push(NewPublication::of(&event).due(due_in(time)));
        self
    }

    /// Makes the command return a [`Recorded`](crate::Recorded): the record together with the event's id,
    /// revision and position.
    pub fn recorded(mut self) -> Recording<M> {
        self.options.placed = true;
        Recording(self)
    }
}

/// A command that returns a [`Recorded`](crate::Recorded): the record together with the event's id, revision and
/// position. See
/// [`Command::recorded`].
#[derive(Debug)]
#[must_use = "a command does nothing until it is run"]
pub struct Recording<M: Evented>(pub(crate) Command<M>);

impl<M: Evented> Command<M> {
    /// Returns the name of the action, and the key of the record if it is known.
    pub(crate) fn action_and_key(&self) -> (&'static str, Option<&M::Key>) {
        match &self.kind {
            Kind::Insert(_) => (evented_core::names::INSERT, None),
            Kind::Change(target, change) => (change.name(), Some(target.key())),
            Kind::Delete(target) => (evented_core::names::DELETE, Some(target.key())),
            Kind::Savepoint(target) => (evented_core::names::SAVEPOINT, Some(target.key())),
        }
    }
}

impl<M: Evented> Clone for Kind<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Insert(new) => Self::Insert(Arc::clone(new)),
            Self::Change(target, action) => Self::Change(target.clone(), Arc::clone(action)),
            Self::Delete(target) => Self::Delete(target.clone()),
            Self::Savepoint(target) => Self::Savepoint(target.clone()),
        }
    }
}

/// A copy of the same command: clone a command before running it to retry it later.
impl<M: Evented> Clone for Command<M> {
    fn clone(&self) -> Self {
        Self { kind: self.kind.clone(), options: self.options.clone() }
    }
}

impl<M: Evented> Clone for Recording<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Evented> fmt::Debug for Command<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, key) = self.action_and_key();
        f.debug_struct("Command").field("action", &action).field("key", &key).finish_non_exhaustive()
    }
}
