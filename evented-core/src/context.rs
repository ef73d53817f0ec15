//! What an action may know besides its record.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The circumstances of an event, the same when it was written and on every replay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// When the event was made, to the microsecond.
    pub at: DateTime<Utc>,
    /// The event's own id: unique, and a good source of ids for things the event makes.
    pub event_id: Uuid,
    /// Who did it, where the command said so.
    pub actor: Option<String>,
    /// The schema version under which the event was written.
    pub version: i32,
}

impl Context {
    /// A context, for tests of actions and for database layers.
    #[must_use]
    pub fn new(at: DateTime<Utc>, event_id: Uuid, actor: Option<String>, version: i32) -> Self {
        Self { at: crate::micros(at), event_id, actor, version }
    }
}
