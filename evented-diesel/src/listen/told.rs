//! What a source tells of a model, and what can become of a subscription.

use std::sync::Arc;

use evented_core::{Evented, Fact, KeyValue, Position};

/// What a source tells, in order.
pub(crate) enum Told<M: Evented> {
    /// A change.
    Fact(Arc<Fact<M>>),
    /// An event that cannot be read.
    Unreadable(Unreadable),
    /// The transaction of the changes since the last one is told whole.
    End,
}

impl<M: Evented> Clone for Told<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Fact(fact) => Self::Fact(Arc::clone(fact)),
            Self::Unreadable(unreadable) => Self::Unreadable(unreadable.clone()),
            Self::End => Self::End,
        }
    }
}

/// An event that today's code cannot read: one of a newer version of the program, say.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// The record, where that could be read, and the subscriber may know it: who sees all records, or asked for this one.
    pub record: Option<KeyValue>,
    /// The event's place.
    pub position: Position,
    /// What is wrong with it.
    pub source: Arc<dyn std::error::Error + Send + Sync>,
}

/// An event of a record that the subscriber may not see, as far as anybody knows.
#[derive(Debug, thiserror::Error)]
#[error("an event cannot be read, of a record that is perhaps none of the subscriber's")]
struct Hidden;

impl Unreadable {
    /// The same without what it is about.
    pub(crate) fn hidden(&self) -> Self {
        Self { record: None, position: self.position, source: Arc::new(Hidden) }
    }

    fn named(&self) -> String {
        self.record.as_ref().map(|key| format!("record {key}, ")).unwrap_or_default()
    }
}

/// Why a change was not told, or why there are no more.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// The subscriber was too slow, and its buffer is full. The subscription has ended; nothing is lost if it is made
    /// again from here.
    #[error("the subscriber fell behind; subscribe again from {resume_from}")]
    Lagged {
        /// The place of the last change before those that did not fit. Give it to `subscribe_from`.
        resume_from: Position,
    },
    /// An event cannot be read by this program. The subscription goes on after it.
    #[error("{}at {}: {}", .0.named(), .0.position, .0.source)]
    Unreadable(Unreadable),
    /// The stream does not go on from where the subscriber was: the database was restored or copied, or the changes since
    /// are not there any more. The subscription has ended: read the records anew, and subscribe again.
    #[error("the stream does not go on: {reason}; read the records anew, and subscribe again")]
    MustRefetch {
        /// Why.
        reason: Arc<str>,
    },
}

impl Interruption {
    /// Whether the subscription has ended with it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Unreadable(_))
    }
}
