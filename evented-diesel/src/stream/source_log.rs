//! Describes a log to the readers of its stream.

use evented_core::{KeyKind, StreamId};

use crate::domain::Bus;
use crate::model::EventLog;
use crate::sql::LogName;
use crate::statements::LoggedEvent;
use crate::stream::log_pages::UnreadableRow;

/// A log, with the properties that a reader of its stream needs.
#[derive(Debug, Clone, Copy)]
pub struct SourceLog {
    /// The name of the log's table; for a log with shards, of the view over them.
    pub name: LogName,
    /// The kind of the keys of its records.
    pub keys: KeyKind,
    /// The id of the stream of its positions.
    pub stream: StreamId,
    /// Whether several models share the log. Otherwise all events belong to the one model, whatever their column
    /// `schema` contains.
    pub shared: bool,
}

impl SourceLog {
    /// Describes the log `L`.
    #[must_use]
    pub fn of<L: EventLog>() -> Self {
        Self { name: L::NAME, keys: L::KEY, stream: L::NAME.stream(), shared: L::SHARED }
    }

    /// Describes the bus `B`, which has the columns of a log.
    #[must_use]
    pub fn of_bus<B: Bus>() -> Self {
        let name = B::name();
        Self { name, keys: KeyKind::Text, stream: name.stream(), shared: false }
    }

    /// Returns whether an event belongs to a model.
    pub(crate) fn is_of(&self, schema: &str, event: &LoggedEvent) -> bool {
        !self.shared || event.schema.as_deref() == Some(schema)
    }

    /// Returns whether an unreadable row may be an event of a model.
    pub(crate) fn may_be_of(&self, schema: &str, row: &UnreadableRow) -> bool {
        !self.shared || row.schema.as_deref().is_none_or(|it| it == schema)
    }
}
