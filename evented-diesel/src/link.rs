//! Links between the events of one record: an edit and what it edits, an answer and what it answers.

use evented_core::Json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::backend::Dialect;
use crate::error::Error;
use crate::event::Event;
use crate::log::EventLog;
use crate::model::Model;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::steps;

/// A kind of link between the events of one record, declared by `#[event_log(links(…))]`. Its Diesel table stands for it:
/// `events_ancestors::table`.
///
/// A link leads from a new event to an earlier one of the same record, in the same log; the database enforces both.
/// [`Command::link`](crate::Command::link) and [`Draft::link`](crate::Draft::link) make one, [`Event::linked`] and
/// [`Event::linked_from`] read them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no link of an event log",
    label = "not the table of a link",
    note = "declare it: `#[event_log(table = \"events\", links(ancestors))]`, and name it `events_ancestors::table`"
)]
pub trait Link: 'static {
    /// The log whose events it links.
    type Log: EventLog;
    /// The fields of a link: `()`, or the type of `links(name(Type))`.
    type Data: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Its name.
    const NAME: &'static str;
    /// Whether it has fields.
    const TYPED: bool;
}

/// The fields of a link that has none: `()`.
#[diagnostic::on_unimplemented(
    message = "the link has fields, of the type `{Self}`",
    label = "a link without fields was expected",
    note = "write `.link_with(table, event, &fields)`"
)]
pub trait NoFields {}
impl NoFields for () {}

/// A link to be written with an event.
#[derive(Debug, Clone)]
pub(crate) struct NewLink {
    pub(crate) name: &'static str,
    pub(crate) to: Uuid,
    /// The fields of a typed link; the error is told when it is written, as a builder cannot fail.
    pub(crate) data: Option<Result<Json, String>>,
}

impl NewLink {
    pub(crate) fn plain<L: Link>(to: Uuid) -> Self {
        Self { name: L::NAME, to, data: None }
    }

    pub(crate) fn typed<L: Link>(to: Uuid, data: &L::Data) -> Self {
        let data = L::TYPED.then(|| Json::write(data).map_err(|error| error.to_string()));
        Self { name: L::NAME, to, data }
    }
}

/// An event at the other end of a link, with the link's fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Linked<M: Model, T> {
    /// The event.
    pub event: Event<M>,
    /// The fields of the link.
    pub data: T,
}

/// The events at the other ends of an event's links. See [`Event::linked`] and [`Event::linked_from`].
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct LinkedEvents<M: Model, L> {
    event: Event<M>,
    direction: Direction,
    link: std::marker::PhantomData<fn() -> L>,
}

/// Which end of a link an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The event that has the link.
    From,
    /// The event it leads to.
    To,
}

impl<M: Model> Event<M> {
    /// The earlier events that this one is linked to, oldest first.
    pub fn linked<L: Link<Log = M::Log>>(&self, link: L) -> LinkedEvents<M, L> {
        let _ = link;
        LinkedEvents { event: self.clone(), direction: Direction::From, link: std::marker::PhantomData }
    }

    /// The later events that are linked to this one, oldest first.
    pub fn linked_from<L: Link<Log = M::Log>>(&self, link: L) -> LinkedEvents<M, L> {
        let _ = link;
        LinkedEvents { event: self.clone(), direction: Direction::To, link: std::marker::PhantomData }
    }
}

impl<DB: Dialect, M: Model, L: Link<Log = M::Log>> Operation<DB> for LinkedEvents<M, L> {
    type Output = Vec<Linked<M, L::Data>>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Self::Output, Error> {
        steps::links::read::<DB, M, L, D>(driver, &self.event, self.direction).await
    }
}
