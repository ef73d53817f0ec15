//! What a live value says of itself.

use std::time::Instant;

use crate::error::LiveError;

/// How a live value stands to the database.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Status {
    /// The value equals its query, evaluated over everything that the hub has delivered up to its [cut](crate::Cut).
    Exact,
    /// The value is as it was read. An open transaction keeps the hub from delivering everything that the read may have seen,
    /// so the value belongs to no cut yet. The values of a set may be of different moments. PostgreSQL's event log only: see
    /// `hub.status().delay`.
    AsRead,
    /// The value is as it was before something failed, and is read again.
    Stale {
        /// When it failed first.
        since: Instant,
        /// The last error.
        error: LiveError,
    },
}

impl Status {
    /// Whether the value is exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact)
    }

    /// The worse of two: a set is as good as its worst label.
    pub(crate) fn worse(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Stale { .. }, _) | (Self::AsRead, Self::Exact | Self::AsRead) => self,
            _ => other,
        }
    }
}
