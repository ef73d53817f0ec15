//! A hook of the model's before its events are written.

use evented_core::{Context, Json, Meta};
use uuid::Uuid;

use crate::link::{Link, NewLink, NoFields};
use crate::model::Model;

/// An event about to be written, as the function named by `#[evented(prepare = …)]` sees it.
///
/// The function is called for inserts, updates and actions, not for deletes and savepoints, with the whole history of the
/// record, oldest first, in the transaction of the write. `conn.run(operation).await` runs any reading or command in it.
/// If another writer was first it is called again, so it should do nothing elsewhere.
///
/// ```ignore
/// async fn prepare<DB: Dialect, D: Driver<DB>>(
///     draft: &mut Draft<Message>,
///     history: &[Event<Message>],
///     conn: &mut D,
/// ) -> Result<(), Error> {
///     if let Some(first) = history.first() {
///         draft.link(events_ancestors::table, first.id());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Draft<M: Model> {
    /// The action's own form. If the hook changes it, the new state is what replay makes of the new form; the action's
    /// own check has judged the old one, and is not asked again.
    pub payload: serde_json::Value,
    /// Who and why.
    pub meta: Meta,
    pub(crate) action: &'static str,
    pub(crate) cx: Context,
    pub(crate) before: Option<M>,
    pub(crate) after: M,
    pub(crate) links: Vec<NewLink>,
}

impl<M: Model> Draft<M> {
    /// The action's name in the log.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// The event's id, its time, and what else the action may know.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// The record as it is; `None` for a new one.
    #[must_use]
    pub fn before(&self) -> Option<&M> {
        self.before.as_ref()
    }

    /// The record as the event leaves it. A key that the database makes is not in it yet.
    #[must_use]
    pub fn after(&self) -> &M {
        &self.after
    }

    /// Links the event to an earlier one of the record.
    pub fn link<L: Link<Log = M::Log>>(&mut self, link: L, event: Uuid)
    where
        L::Data: NoFields,
    {
        let _ = link;
        self.links.push(NewLink::plain::<L>(event));
    }

    /// Links the event to an earlier one of the record, with the fields of that link.
    pub fn link_with<L: Link<Log = M::Log>>(&mut self, link: L, event: Uuid, data: &L::Data) {
        let _ = link;
        self.links.push(NewLink::typed::<L>(event, data));
    }

    pub(crate) fn payload_json(&self) -> Result<Json, serde_json::Error> {
        Json::write(&self.payload)
    }
}
