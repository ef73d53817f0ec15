//! A change of a record of any model.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use crate::{Change, ChangeKind, Evented, Position};

/// A change of a record of any model, as a subscriber sees it.
///
/// ```
/// # use evented_core::{Change, Evented};
/// # use evented_core::live::AnyChange;
/// # fn show<Item: Evented>(change: &AnyChange) {
/// if let Some(change) = change.of::<Item>() {
///     println!("{:?}", change.kind());
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct AnyChange {
    model: TypeId,
    schema: &'static str,
    kind: ChangeKind,
    position: Position,
    change: Arc<dyn Any + Send + Sync>,
}

impl AnyChange {
    /// Whether it is a change of the model `M`.
    #[must_use]
    pub fn is<M: Evented>(&self) -> bool {
        self.model == TypeId::of::<M>()
    }

    /// The change, if it is one of the model `M`.
    #[must_use]
    pub fn of<M: Evented>(&self) -> Option<&Change<M>> {
        self.change.downcast_ref()
    }

    /// The model's name in the log.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        self.schema
    }

    /// What the change is to the subscriber.
    #[must_use]
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// The position of the change in its stream.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}

impl<M: Evented> From<Change<M>> for AnyChange {
    fn from(change: Change<M>) -> Self {
        Self {
            model: TypeId::of::<M>(),
            schema: M::SCHEMA,
            kind: change.kind(),
            position: change.position(),
            change: Arc::new(change),
        }
    }
}

impl fmt::Debug for AnyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} at {}", self.kind, self.schema, self.position)
    }
}
