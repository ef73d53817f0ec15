//! Classifies errors by what a caller can do about them.

use diesel::result::Error as DieselError;
use evented_core::ValidationErrors;

use super::Error;

impl Error {
    /// Returns Diesel's error, if a failed statement or connection is the cause.
    #[must_use]
    pub fn as_diesel(&self) -> Option<&DieselError> {
        match self.innermost() {
            Self::Constraint { source, .. } => Some(source),
            Self::SerializationFailure { source, .. } | Self::Busy { source, .. } => Some(source),
            Self::Database { error, .. } | Self::AnswerLost { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns whether the record was not at the expected revision, or too many writers competed for it. Read the
    /// record and decide again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.innermost(), Self::Conflict { .. } | Self::Contended { .. })
    }

    /// Returns whether the same operation may succeed in a new transaction.
    ///
    /// Diesel does not expose the SQLSTATE, so the library recognizes PostgreSQL's lock errors by their texts, in every
    /// language of `lc_messages` that PostgreSQL is translated into. It recognizes a deadlock (40P01) by the structure
    /// of its details, and an unavailable lock (55P03) by its text. It does not recognize an error that a function
    /// raises with only the SQLSTATE; it recognizes one that carries the server's own text.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.innermost(),
            Self::Contended { .. } | Self::SerializationFailure { .. } | Self::Busy { .. }
        )
    }

    /// Returns whether the record does not exist: it is unknown or deleted.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.innermost(), Self::NotFound { .. } | Self::Deleted { .. })
    }

    /// Returns the validation errors, if they are the reason.
    #[must_use]
    pub fn validation_errors(&self) -> Option<&ValidationErrors> {
        match self.innermost() {
            Self::Invalid { errors, .. } => Some(errors),
            _ => None,
        }
    }

    pub(super) fn innermost(&self) -> &Self {
        match self {
            Self::Batch { error: source, .. } => source.innermost(),
            other => other,
        }
    }
}
