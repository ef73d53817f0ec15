//! A row of a live value.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::model::LiveModel;
use crate::{Evented, RecordState};

/// A record in a live value. It is shared by all values that hold it, and derefs to the record. Cloning it is cheap.
pub struct Row<M>(Arc<RecordState<M>>);

impl<M: Evented> Row<M> {
    /// Wraps a record.
    pub fn new(record: M) -> Self {
        Self(Arc::new(RecordState::new(record)))
    }

    /// Shares a side of a change.
    pub(super) fn of(state: &Arc<RecordState<M>>) -> Self {
        Self(Arc::clone(state))
    }

    /// A copy of the record.
    #[must_use]
    pub fn to_record(&self) -> M {
        self.copy()
    }

    /// Whether two rows are the same record in memory.
    #[doc(hidden)]
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<M> Clone for Row<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Evented> Deref for Row<M> {
    type Target = M;
    fn deref(&self) -> &M {
        self.0.record()
    }
}

impl<M: LiveModel> PartialEq for Row<M> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || self.same(other)
    }
}

impl<M: LiveModel> PartialEq<M> for Row<M> {
    fn eq(&self, other: &M) -> bool {
        self.same(other)
    }
}

impl<M: Evented + Serialize> Serialize for Row<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<M: Evented + fmt::Debug> fmt::Debug for Row<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
