//! Defines the event that the model's hook receives before the event is written.

use evented_core::{Context, Json, JsonError, Meta, ValidationErrors};
use uuid::Uuid;

use crate::error::{Error, Subject};
use crate::model::definition::Model;
use crate::model::link::{Link, NewLink, NoFields};

/// An event that is about to be written. The function named by `#[evented(before_append = …)]` receives it.
///
/// The library calls the function for inserts, updates and actions, not for deletes and savepoints. The call happens in
/// the transaction of the write, with the whole history of the record, oldest event first. `conn.run(operation).await`
/// runs any read query or command in that transaction. If another writer was first, the library calls the function
/// again, so it should have no effects outside the transaction.
///
/// ```ignore
/// async fn before_append<DB: EventedBackend, D: Executor<DB>>(
///     event: &mut PendingEvent<Message>,
///     history: &[Event<Message>],
///     conn: &mut D,
/// ) -> Result<(), Error> {
///     if let Some(first) = history.first() {
///         event.link(events_ancestors::table, first.id());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct PendingEvent<M: Model> {
    /// The action in its serialized form. If the hook changes it, the library replays the new form to compute the new
    /// state. The action's own check has seen only the old form and does not run again.
    pub payload: serde_json::Value,
    /// The metadata: who caused the event, and why.
    pub meta: Meta,
    pub(crate) action: &'static str,
    pub(crate) cx: Context,
    pub(crate) before: Option<M>,
    pub(crate) after: M,
    pub(crate) links: Vec<NewLink>,
}

impl<M: Model> PendingEvent<M> {
    /// Returns the action's name in the log.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Returns the context that the action sees: the event's id, time, actor and schema version.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// Returns the record before the event; `None` for an insert.
    #[must_use]
    pub fn before(&self) -> Option<&M> {
        self.before.as_ref()
    }

    /// Returns the record after the event. If the database generates the key, the record does not have it yet.
    #[must_use]
    pub fn after(&self) -> &M {
        &self.after
    }

    /// Creates the error that refuses the event. If the hook returns it, nothing is written.
    #[must_use]
    pub fn refuse(&self, errors: ValidationErrors) -> Error {
        let record = Subject::Record { schema: M::SCHEMA, key: M::key_value(&self.after.key()) };
        Error::Invalid { record, errors }
    }

    /// Links the event to an earlier event of the same record.
    pub fn link<L: Link<Log = M::Log>>(&mut self, link: L, event: Uuid)
    where
        L::Data: NoFields,
    {
        let _ = link;
        self.links.push(NewLink::plain::<L>(event));
    }

    /// Links the event to an earlier event of the same record, with the fields of the link.
    pub fn link_with<L: Link<Log = M::Log>>(&mut self, link: L, event: Uuid, data: &L::Data) {
        let _ = link;
        self.links.push(NewLink::typed::<L>(event, data));
    }

    pub(crate) fn payload_json(&self) -> Result<Json, JsonError> {
        Json::write(&self.payload)
    }
}
