//! Everything that can go wrong, typed.

use chrono::{DateTime, Utc};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use evented_core::{FieldError, Invalid, KeyValue, ReplayError, Undecided, Unstorable};

mod constraint;

/// Which record an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordName {
    /// The model's name in the log.
    pub schema: &'static str,
    /// The record's key; `None` for a record that has none yet, and for what is about all of them.
    pub key: Option<KeyValue>,
}

impl std::fmt::Display for RecordName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{} {key}", self.schema),
            None => f.write_str(self.schema),
        }
    }
}

/// Why an operation failed. Whatever the reason, nothing is half written: event and row are written both or neither.
///
/// Most callers ask [`faults`](Error::faults), [`is_missing`](Error::is_missing), [`is_conflict`](Error::is_conflict)
/// and [`is_retryable`](Error::is_retryable).
///
/// A transaction of the caller's can go on after most of them. On PostgreSQL it cannot after
/// [`Constraint`](Error::Constraint), [`Serialization`](Error::Serialization) and [`Database`](Error::Database): a
/// failed statement aborts it. A command that may fail so is put into a `transaction` of its own within the other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input has faults: a rule of the action or of the model refused it. Nothing was written.
    #[error("{record}: {faults}")]
    Invalid {
        /// The record.
        record: RecordName,
        /// The faults, by field.
        faults: Invalid,
    },
    /// The log does not know the record, and there is no row of it.
    #[error("{record}: there is no such record")]
    NotFound {
        /// The record.
        record: RecordName,
    },
    /// The record was deleted, through this library or behind its back (found by a model that adopts).
    #[error("{record}: it was deleted by revision {revision}, at {at}")]
    Deleted {
        /// The record.
        record: RecordName,
        /// When.
        at: DateTime<Utc>,
        /// By which event.
        revision: i64,
    },
    /// The record exists already: an insert with the key of a live record, or a row that is there and need not be
    /// materialized.
    #[error("{record}: it exists already, at revision {revision}")]
    Exists {
        /// The record.
        record: RecordName,
        /// Its revision.
        revision: i64,
    },
    /// The record is not at the revision the command expected. Read it again and decide anew.
    #[error("{record}: revision {expected} was expected, and it is at {found}")]
    Conflict {
        /// The record.
        record: RecordName,
        /// What the command said.
        expected: i64,
        /// What is.
        found: i64,
    },
    /// Other writers were first, again and again. Try later.
    #[error("{record}: other writers were first, {attempts} times in a row")]
    Contended {
        /// The record.
        record: RecordName,
        /// How often it was tried.
        attempts: u32,
    },
    /// The row was changed behind the log's back, and the model says `drift = refuse` (or the log has nothing to heal
    /// it from).
    ///
    /// Mostly it is found before anything is written. On PostgreSQL it is also found in the row that a write gives
    /// back, if a trigger changed it, say: outside a transaction of the caller's, that write may be done already.
    #[error("{record}: its row differs from the log at revision {revision} in {}; \
             adopt the change, or restore the row", columns.join(", "))]
    Drift {
        /// The record.
        record: RecordName,
        /// The log's last revision of it, 0 if there is none.
        revision: i64,
        /// The differing columns.
        columns: Vec<String>,
    },
    /// A part of the history cannot be replayed: an unknown action, a newer schema version, a payload that does not
    /// decode, a missing event. Nothing was written.
    #[error("{record}: {source}")]
    Replay {
        /// The record.
        record: RecordName,
        /// The event at fault, and why.
        source: Box<ReplayError>,
    },
    /// A value that no database keeps faithfully: NaN, an infinity, a text with a NUL byte.
    #[error("{record}: {source}")]
    Unstorable {
        /// The record.
        record: RecordName,
        /// The field, and why.
        source: Unstorable,
    },
    /// An input or a state without a JSON form; or no key where the caller gives it.
    #[error("{record}: {source}")]
    Form {
        /// The record.
        record: RecordName,
        /// What serde says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database refused the row; nothing was written, neither row nor event.
    #[error("{record}: {kind}{}", constraint::place(name, columns))]
    Constraint {
        /// The record.
        record: RecordName,
        /// What kind of constraint.
        kind: ConstraintKind,
        /// Its name, where the database tells it; empty on SQLite.
        name: String,
        /// Its columns, where the database tells them; empty otherwise.
        columns: Vec<String>,
        /// What the database said.
        source: Box<DieselError>,
    },
    /// The transaction's view of the data is too old to write on. Roll the whole transaction back and run it again.
    #[error("{record}: another transaction changed what this one has read; roll it back and run it again")]
    Serialization {
        /// The record.
        record: RecordName,
        /// What the database said.
        source: DieselError,
    },
    /// Another writer holds SQLite's lock. A `busy_timeout` on the connection makes writers wait for each other; within a
    /// transaction that has read, and was overtaken since, only running it again helps.
    #[error(
        "{record}: the database is locked by another writer; set `PRAGMA busy_timeout` to wait for it, and roll \
             back and rerun a transaction that had read before it wrote"
    )]
    Busy {
        /// The record.
        record: RecordName,
        /// What the database said.
        source: DieselError,
    },
    /// A link to an event that its record does not have. Nothing was written.
    #[error("{record}: the link `{link}` leads to event {event}, which is none of this record's")]
    Link {
        /// The record.
        record: RecordName,
        /// The link's name.
        link: &'static str,
        /// The event it was to lead to.
        event: uuid::Uuid,
    },
    /// A check of hashes, on a log that has none.
    #[error("the log `{log}` has no hashes; declare it `#[event_log(hashed)]`")]
    NotHashed {
        /// The log's table.
        log: &'static str,
    },
    /// A checkpoint that was made with a key, and no key to check it.
    #[error("checkpoint {number} of the log `{log}` was made with a key; say it with `.keyed(…)`")]
    CheckpointKey {
        /// The log's table.
        log: &'static str,
        /// The checkpoint.
        number: i64,
    },
    /// A model that does not have all columns of its table, whose rows can therefore not be made again from the log.
    #[error("{schema}: the table has columns that the model does not know, and that no log could restore: {}; \
             add them to the model, or materialize records one by one", columns.join(", "))]
    Partial {
        /// The model's name in the log.
        schema: &'static str,
        /// The columns.
        columns: Vec<String>,
    },
    /// A log in a form that this version of the library does not know.
    #[error(
        "the log `{log}` has form {found}, and this version of evented knows forms up to {known}; use a newer one"
    )]
    LogFormat {
        /// The log's table.
        log: &'static str,
        /// The log's form.
        found: i32,
        /// The newest that is known.
        known: i32,
    },
    /// The database, or the way to it, failed while a whole log was read or written.
    #[error("the log `{log}`: {source}")]
    Log {
        /// The log's table.
        log: &'static str,
        /// What Diesel says.
        source: DieselError,
    },
    /// A position of another stream of changes than the one it was given to.
    #[error(
        "the position {position} is not one of the log `{log}`; give each reader a position of its own stream"
    )]
    Position {
        /// The log's table.
        log: &'static str,
        /// The position.
        position: evented_core::Position,
    },
    /// The stream of changes does not go on from a position: the database was restored or copied since it was given out.
    #[error(
        "the log `{log}` does not go on from there: {reason}; read the records anew, and begin at the present"
    )]
    MustRefetch {
        /// The log's table.
        log: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A log with events of transactions that this server has not begun: it was brought here from another one. New events
    /// would be told before old ones.
    #[error(
        "the log `{log}` was brought here from another server: its last event is of transaction {txid}, and the next one \
         here is {next}; restore the database with its transaction counter, or set `txid` of the old events to 0 with \
         the triggers of the log switched off"
    )]
    ForeignLog {
        /// The log's table.
        log: &'static str,
        /// The transaction of its last event.
        txid: i64,
        /// The next transaction of this server.
        next: i64,
    },
    /// A snapshot was asked for outside a transaction, or in one in which each statement sees something else.
    #[error(
        "a snapshot of `{schema}` must be taken in the transaction that reads the rows, and on PostgreSQL that must be \
         `REPEATABLE READ`: `conn.build_transaction().repeatable_read().run(…)`"
    )]
    Snapshot {
        /// The model's name in the log.
        schema: &'static str,
    },
    /// One command of a batch failed, and with it all of them.
    #[error("command {index} of the batch: {source}")]
    Batch {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// The database, or the way to it, failed.
    #[error("{record}: {source}")]
    Database {
        /// The record.
        record: RecordName,
        /// What Diesel says.
        source: DieselError,
    },
    /// The set-up of a reader of the write-ahead log. See [`wal`](crate::wal).
    #[cfg(feature = "wal")]
    #[error(transparent)]
    Wal(Box<crate::wal::WalError>),
    /// A blocking connection was asked to wait. It cannot happen with Diesel's own connections.
    #[error("a blocking connection did not finish at once")]
    Waited,
}

/// A kind of constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConstraintKind {
    /// A unique index or a primary key.
    Unique,
    /// A foreign key.
    ForeignKey,
    /// `NOT NULL`.
    NotNull,
    /// `CHECK`.
    Check,
}

impl std::fmt::Display for ConstraintKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unique => "violates the unique constraint",
            Self::ForeignKey => "violates the foreign key",
            Self::NotNull => "violates the not-null constraint",
            Self::Check => "violates the check constraint",
        })
    }
}

impl Error {
    /// Whether the record was not at the expected revision, or too many writers wanted it at once: read it again,
    /// decide anew.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.innermost(), Self::Conflict { .. } | Self::Contended { .. })
    }

    /// Whether the same operation, in a new transaction, may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.innermost(), Self::Contended { .. } | Self::Serialization { .. } | Self::Busy { .. })
    }

    /// Whether the record is not there: unknown, or deleted.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.innermost(), Self::NotFound { .. } | Self::Deleted { .. })
    }

    /// The faults of the input, if that is why.
    #[must_use]
    pub fn faults(&self) -> Option<&Invalid> {
        match self.innermost() {
            Self::Invalid { faults, .. } => Some(faults),
            _ => None,
        }
    }

    fn innermost(&self) -> &Self {
        match self {
            Self::Batch { source, .. } => source.innermost(),
            other => other,
        }
    }

    pub(crate) fn database(record: RecordName, source: DieselError) -> Self {
        let DieselError::DatabaseError(kind, information) = &source else {
            return Self::Database { record, source };
        };
        let message = information.message();
        let kind = match kind {
            DatabaseErrorKind::UniqueViolation => ConstraintKind::Unique,
            DatabaseErrorKind::ForeignKeyViolation => ConstraintKind::ForeignKey,
            DatabaseErrorKind::NotNullViolation => ConstraintKind::NotNull,
            DatabaseErrorKind::CheckViolation => ConstraintKind::Check,
            DatabaseErrorKind::SerializationFailure => return Self::Serialization { record, source },
            // SQLite says no more than this: within a transaction that has read it may mean that the data was
            // changed since, and waiting would not help.
            _ if message.contains("database is locked") || message.contains("table is locked") => {
                return Self::Busy { record, source };
            }
            // PostgreSQL's answer to a deadlock is a failed transaction as well.
            _ if message.contains("deadlock detected") => return Self::Serialization { record, source },
            _ => return Self::Database { record, source },
        };
        let (name, columns) = constraint::describe(information.as_ref());
        Self::Constraint { record, kind, name, columns, source: Box::new(source) }
    }

    pub(crate) fn of_log(log: &'static str, source: DieselError) -> Self {
        match Self::database(RecordName { schema: log, key: None }, source) {
            Self::Database { source, .. } => Self::Log { log, source },
            other => other,
        }
    }

    pub(crate) fn undecided(record: RecordName, reason: Undecided) -> Self {
        match reason {
            Undecided::Invalid(faults) => Self::Invalid { record, faults },
            Undecided::Unstorable(source) => Self::Unstorable { record, source },
            Undecided::Field(source) => Self::field(record, source),
            Undecided::Payload(source) => Self::Form { record, source: source.into() },
            _ => Self::Form { record, source: "an unknown reason".into() },
        }
    }

    pub(crate) fn replay(record: RecordName, source: ReplayError) -> Self {
        Self::Replay { record, source: Box::new(source) }
    }

    pub(crate) fn field(record: RecordName, source: FieldError) -> Self {
        Self::Form { record, source: source.into() }
    }
}

/// The caller's transaction fails with this library's error, and Diesel's own within it become one of ours: so that
/// `conn.transaction::<_, Error, _>(…)` reads as usual.
impl From<DieselError> for Error {
    fn from(source: DieselError) -> Self {
        Self::database(RecordName { schema: "transaction", key: None }, source)
    }
}

// Errors travel by value: one that is larger than this is moved about at every `?` of the user's code.
const _: () = assert!(size_of::<Error>() < 128);
