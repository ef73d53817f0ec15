//! Converts the errors of Diesel and of the core into those of this crate.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use evented_core::{FieldError, JsonError, ReplayError, Undecided};

use super::locks::{self, Lock};
use super::refused_row::RefusedRow;
use super::{ConstraintKind, Error, Subject, constraint};

impl Error {
    #[doc(hidden)]
    #[must_use]
    pub fn database(subject: Subject, source: DieselError) -> Self {
        if let Some(refused) = RefusedRow::of(&source) {
            return refused.into_error(subject);
        }
        let DieselError::DatabaseError(kind, information) = &source else {
            return Self::Database { subject, error: source };
        };
        let kind = match kind {
            DatabaseErrorKind::UniqueViolation => ConstraintKind::Unique,
            DatabaseErrorKind::ForeignKeyViolation => ConstraintKind::ForeignKey,
            DatabaseErrorKind::NotNullViolation => ConstraintKind::NotNull,
            DatabaseErrorKind::CheckViolation => ConstraintKind::Check,
            DatabaseErrorKind::SerializationFailure => return Self::SerializationFailure { subject, source },
            // A deadlock, or a standby that ended the transaction, also requires a new transaction.
            _ => match locks::lock_of(information.as_ref()) {
                Some(Lock::Lost) => return Self::SerializationFailure { subject, source },
                Some(Lock::Taken) => return Self::Busy { subject, source },
                None => return Self::Database { subject, error: source },
            },
        };
        let (name, columns) = constraint::describe(information.as_ref());
        Self::Constraint { subject, kind, name, columns, source: Box::new(source) }
    }

    /// Names another subject in the error of a statement.
    #[doc(hidden)]
    #[must_use]
    pub fn about(mut self, about: Subject) -> Self {
        if let Self::Constraint { subject, .. }
        | Self::SerializationFailure { subject, .. }
        | Self::Busy { subject, .. }
        | Self::Database { subject, .. } = &mut self
        {
            *subject = about;
        }
        self
    }

    /// Whether another transaction caused an error of Diesel's: a deadlock, a serialization failure, a lock.
    #[doc(hidden)]
    #[must_use]
    pub fn is_of_lock(error: &DieselError) -> bool {
        let DieselError::DatabaseError(kind, information) = error else { return false };
        matches!(kind, DatabaseErrorKind::SerializationFailure)
            || locks::lock_of(information.as_ref()).is_some()
    }

    /// The error of a statement that writes event and row, or of a commit, without a transaction around it that is
    /// rolled back. On SQLite a write whose answer cannot be read is taken back.
    pub(crate) fn of_write(self, answers_follow_commit: bool) -> Self {
        match self {
            Self::Database { subject, error: error @ DieselError::DeserializationError(_) }
                if answers_follow_commit =>
            {
                Self::AnswerLost { record: subject, written: true, error }
            }
            // diesel-async reports a connection that ends under a statement as one that cannot send it.
            Self::Database {
                subject,
                error:
                    error @ DieselError::DatabaseError(
                        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                        _,
                    ),
            } => Self::AnswerLost { record: subject, written: false, error },
            other => other,
        }
    }

    pub(crate) fn of_log(log: &'static str, source: DieselError) -> Self {
        Self::database(Subject::Log(log), source)
    }

    pub(crate) fn undecided(record: Subject, reason: Undecided) -> Self {
        match reason {
            Undecided::Invalid(faults) => Self::Invalid { record, errors: faults },
            Undecided::Unstorable(source) => Self::Unstorable { record, error: source },
            Undecided::Field(source) => Self::field(record, source),
            Undecided::Payload(source) => Self::encode(record, source),
            other => Self::Encode { record, error: other.into() },
        }
    }

    pub(crate) fn encode(record: Subject, source: JsonError) -> Self {
        Self::Encode { record, error: source.into() }
    }

    pub(crate) fn replay(record: Subject, source: ReplayError) -> Self {
        Self::Replay { record, error: Box::new(source) }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn field(record: Subject, source: FieldError) -> Self {
        Self::Encode { record, error: source.into() }
    }
}

/// Converts Diesel's own errors within the caller's transaction, so that `conn.transaction::<_, Error, _>(…)` works as
/// usual.
impl From<DieselError> for Error {
    fn from(source: DieselError) -> Self {
        Self::database(Subject::Transaction, source)
    }
}
