//! Defines what a source delivers about a model, and why a delivery can fail.

use std::sync::Arc;

use evented_core::{Evented, KeyValue, Position, RawChange};

/// A delivery of a source about a model. Deliveries come in order.
#[derive(Debug)]
pub enum Delivery<M: Evented> {
    /// A change.
    Change(Arc<RawChange<M>>),
    /// A savepoint of a record that has a revision field: it changes the revision alone, and is no change to subscribers.
    Revised(Arc<RawChange<M>>),
    /// An event that this program cannot read.
    Unreadable(Unreadable),
    /// The transaction of the changes since the previous `EndOfTransaction` is complete.
    EndOfTransaction,
}

impl<M: Evented> Clone for Delivery<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Change(change) => Self::Change(Arc::clone(change)),
            Self::Revised(change) => Self::Revised(Arc::clone(change)),
            Self::Unreadable(unreadable) => Self::Unreadable(unreadable.clone()),
            Self::EndOfTransaction => Self::EndOfTransaction,
        }
    }
}

/// An event that this program cannot read, for example one that a newer version of the program wrote.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unreadable {
    /// The key of the record. It is `None` if the key cannot be read, and for a subscriber that may not see it: the hub
    /// cannot evaluate a scope or a policy for an event that does not decode, so only a subscriber to all records or to
    /// this record receives the key.
    pub record: Option<KeyValue>,
    /// The position of the event.
    pub position: Position,
    /// The reason why the event cannot be read.
    pub source: Arc<dyn std::error::Error + Send + Sync>,
}

/// The reason that a subscriber receives for an event of a record that it may not be allowed to see.
#[derive(Debug, thiserror::Error)]
#[error("an event cannot be read; the subscriber may not be allowed to see its record")]
struct Hidden;

impl Unreadable {
    /// Creates an unreadable event at this position.
    #[doc(hidden)]
    #[must_use]
    pub fn new(
        record: Option<KeyValue>,
        position: Position,
        source: Arc<dyn std::error::Error + Send + Sync>,
    ) -> Self {
        Self { record, position, source }
    }

    /// Returns a copy without the record and the reason.
    #[doc(hidden)]
    #[must_use]
    pub fn hidden(&self) -> Self {
        Self { record: None, position: self.position, source: Arc::new(Hidden) }
    }

    fn record_name(&self) -> String {
        self.record.as_ref().map(|key| format!("record {key}, ")).unwrap_or_default()
    }
}

/// The reason why a change was not delivered, or why no more changes follow.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// The subscriber was too slow and its buffer is full. The subscription has ended. Nothing is lost if the
    /// subscriber subscribes again from `resume_from`.
    #[error("the subscriber fell behind; subscribe again from {resume_from}")]
    Lagged {
        /// The position of the last change before those that did not fit.
        resume_from: Position,
    },
    /// This program cannot read an event. The subscription goes on after it.
    #[error("{}at {}: {}", .0.record_name(), .0.position, .0.source)]
    Unreadable(Unreadable),
    /// The stream cannot continue after the subscriber's position: the database was restored or copied, or the changes
    /// since then are no longer stored. The subscription has ended: read the records again, and subscribe again.
    #[error("the stream cannot continue: {reason}; read the records again, and subscribe again")]
    MustRefetch {
        /// The reason.
        reason: Arc<str>,
    },
}

impl Interruption {
    /// Returns whether the interruption ends the subscription.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Unreadable(_))
    }
}
