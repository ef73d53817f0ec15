//! Defines links between the events of one record, for example from an edit to the event that it edits, or from an
//! answer to its question.

use evented_core::Json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::model::definition::Model;
use crate::model::derived::Derived;
use crate::model::event::Event;
use crate::model::log::EventLog;
use crate::sql::{LogName, fitted};

/// A kind of link between the events of one record, declared by `#[event_log(links(…))]`. Its Diesel table represents
/// it in code: `events_ancestors::table`.
///
/// A link leads from a new event to an earlier one of the same record in the same log. The database enforces both.
/// [`Command::link`](crate::Command::link) and [`PendingEvent::link`](crate::PendingEvent::link) create a link;
/// [`Event::linked`] and [`Event::linked_from`] read links.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no link of an event log",
    label = "not the table of a link",
    note = "declare it: `#[event_log(table = \"events\", links(ancestors))]`, and name it `events_ancestors::table`"
)]
pub trait Link: 'static {
    /// Shows that the derive implements the trait.
    #[doc(hidden)]
    const DERIVED: Derived;
    /// The log that contains the linked events.
    type Log: EventLog;
    /// The type of the link's fields: `()`, or the type in `links(name(Type))`.
    type Data: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The name of the link.
    const NAME: &'static str;
    /// Whether the link has fields.
    const TYPED: bool;
}

/// The field type of a link without fields: `()`.
#[diagnostic::on_unimplemented(
    message = "the link has fields, of the type `{Self}`",
    label = "a link without fields was expected",
    note = "write `.link_with(table, event, &fields)`"
)]
pub trait NoFields: sealed::NoFields {}
impl NoFields for () {}

mod sealed {
    pub trait NoFields {}
    impl NoFields for () {}
}

/// A link to write together with an event.
#[derive(Debug, Clone)]
pub(crate) struct NewLink {
    pub(crate) name: &'static str,
    pub(crate) to: Uuid,
    /// The fields of a typed link. A builder cannot fail, so the error is returned when the link is written.
    pub(crate) data: Option<Result<Json, String>>,
}

impl NewLink {
    /// Returns the name of the link's table, which is next to the table of the events.
    pub(crate) fn table(&self, events: LogName) -> String {
        link_table(events, self.name)
    }

    pub(crate) fn plain<L: Link>(to: Uuid) -> Self {
        Self { name: L::NAME, to, data: None }
    }

    pub(crate) fn typed<L: Link>(to: Uuid, data: &L::Data) -> Self {
        let data = L::TYPED.then(|| Json::write(data).map_err(|error| error.to_string()));
        Self { name: L::NAME, to, data }
    }
}

/// Returns the name of a link's table. The links of a shard's events have a table of their own next to the shard.
pub(crate) fn link_table(events: LogName, link: &str) -> String {
    fitted(format!("{}_{link}", events.table))
}

/// Returns the name of the table of a hashed log's checkpoints.
pub(crate) fn checkpoints_table(log: LogName) -> String {
    fitted(format!("{}_checkpoints", log.table))
}

/// Returns the name of the table of the nodes of a hashed log's tree.
pub(crate) fn tree_table(log: LogName) -> String {
    fitted(format!("{}_tree", log.table))
}

/// The event at the other end of a link, with the link's fields.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Linked<M: Model, T> {
    /// The event.
    pub event: Event<M>,
    /// The fields of the link.
    pub data: T,
}

/// The end of a link at which an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The event that has the link.
    From,
    /// The earlier event that the link leads to.
    To,
}
