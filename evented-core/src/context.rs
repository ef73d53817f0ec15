//! The circumstances of an event, which an action may use besides its record.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The circumstances of an event. They are the same when the event is written and on every replay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// When the event was made, to the microsecond.
    pub at: DateTime<Utc>,
    /// The event's id. It is unique, so an action can derive the ids of things it creates from it.
    pub event_id: Uuid,
    /// The actor, if the command named one.
    pub actor: Option<String>,
    /// The schema version that the event was written under.
    pub version: i32,
}

impl Context {
    /// Creates a context, for tests of actions and for database layers. `at` is cut to the microsecond.
    #[must_use]
    pub fn new(at: DateTime<Utc>, event_id: Uuid, actor: Option<String>, version: i32) -> Self {
        Self { at: crate::micros(at), event_id, actor, version }
    }
}
