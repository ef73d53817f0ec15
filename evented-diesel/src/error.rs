//! Defines the errors of the library, as types.

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;
use evented_core::{ReplayError, Unstorable, ValidationErrors};

mod classify;
mod constraint;
mod convert;
mod fields;
mod locks;
mod refused_row;
mod subject;

pub use constraint::ConstraintKind;
pub use fields::FieldNames;
pub(crate) use locks::is_stale_plan;
#[cfg(any(feature = "__pg", feature = "sqlite"))]
pub(crate) use refused_row::RefusedRow;
pub use subject::Subject;

/// The reason why an operation failed. In every case, either both the event and the row were written, or neither.
///
/// The text of an error includes the text of its cause if the variant has a field `error`.
/// [`source`](std::error::Error::source) returns a cause only if the text does not include it, so a report that walks
/// the chain of sources does not repeat text.
///
/// Most callers use [`validation_errors`](Error::validation_errors), [`is_missing`](Error::is_missing),
/// [`is_conflict`](Error::is_conflict) and [`is_retryable`](Error::is_retryable).
///
/// After most errors the caller's transaction can continue. On PostgreSQL it cannot after
/// [`Constraint`](Error::Constraint), [`NotWritten`](Error::NotWritten), [`OtherKey`](Error::OtherKey),
/// [`SerializationFailure`](Error::SerializationFailure), [`Busy`](Error::Busy) and [`Database`](Error::Database), because a failed statement aborts the transaction. Run a command that may fail this
/// way in a nested `transaction` of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A rule of the action or of the model refused the input. Nothing was written.
    #[error("{record}: {errors}")]
    Invalid {
        /// The record.
        record: Subject,
        /// The reasons, by field.
        errors: ValidationErrors,
    },
    /// The record does not exist: the log has no events of it, and the table has no row.
    #[error("{record}: there is no such record")]
    NotFound {
        /// The record.
        record: Subject,
    },
    /// The record was deleted, through this library or by other SQL (which a model with `drift = adopt` detects).
    #[error("{record}: it was deleted by revision {revision}, at {at}")]
    Deleted {
        /// The record.
        record: Subject,
        /// The time of the delete.
        at: DateTime<Utc>,
        /// The revision of the event that deleted the record.
        revision: i64,
    },
    /// The record exists already: an insert used the key of a live record, or `materialize` found a row that needs no
    /// materializing.
    #[error("{record}: it exists already, at revision {revision}")]
    Exists {
        /// The record.
        record: Subject,
        /// The revision of the existing record.
        revision: i64,
    },
    /// The record is not at the revision that the command expected. Read the record and decide again.
    #[error("{record}: the command expected revision {expected}, and the record is at revision {found}")]
    Conflict {
        /// The record.
        record: Subject,
        /// The revision that the command expected.
        expected: i64,
        /// The revision of the record in the log.
        found: i64,
    },
    /// Other writers were first in every attempt. Try again later.
    #[error("{record}: the write conflicted with other writers {attempts} times in a row")]
    Contended {
        /// The record.
        record: Subject,
        /// The number of attempts.
        attempts: u32,
    },
    /// The row was changed by other SQL, not through the log, and the model declares `drift = refuse` (or the log has
    /// no events to heal the row from).
    ///
    /// A command usually detects this before it writes anything. On PostgreSQL it can also detect it in the row that a
    /// write returns, for example if a trigger changed the row. Outside a transaction of the caller's, that write may
    /// already be committed.
    #[error("{record}: its row differs from the log at revision {revision} in {}; \
             adopt the change, or restore the row", columns.join(", "))]
    Drift {
        /// The record.
        record: Subject,
        /// The last revision of the record in the log; 0 if there is none.
        revision: i64,
        /// The names of the columns that differ.
        columns: Vec<String>,
    },
    /// The record's history cannot be replayed: an unknown action, a newer schema version, a payload that does not
    /// decode, or a missing event. Nothing was written.
    #[error("{record}: {error}")]
    Replay {
        /// The record.
        record: Subject,
        /// The event that cannot be replayed, and the reason.
        error: Box<ReplayError>,
    },
    /// A value that no database stores faithfully: NaN, an infinity, or text with a NUL byte.
    #[error("{record}: {error}")]
    Unstorable {
        /// The record.
        record: Subject,
        /// The field, and the reason.
        error: Unstorable,
    },
    /// A value that cannot be serialized as JSON or deserialized from it, or a missing key that the caller must
    /// provide.
    #[error("{record}: {error}")]
    Encode {
        /// The record.
        record: Subject,
        /// The error of serde, or the reason.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The id of an idempotent command has been used for another command on the record. Nothing was written.
    #[error(
        "{record}: the event id {event} belongs to another command, `{action}` at revision {revision}; a repeated \
         command has the same input, and another command needs another id"
    )]
    Reused {
        /// The record.
        record: Subject,
        /// The id.
        event: uuid::Uuid,
        /// The action of the event that has the id.
        action: String,
        /// The revision of that event.
        revision: i64,
    },
    /// The answer of the database to a write could not be read. Read the record before running the command again, or
    /// give the command an id with [`idempotent`](crate::Command::idempotent).
    #[error(
        "{record}: {}: {error}",
        if *written {
            "the command was carried out, and its result cannot be read"
        } else {
            "the connection ended before the answer, and the command may have been carried out"
        }
    )]
    AnswerLost {
        /// The record.
        record: Subject,
        /// Whether it is certain that event and row were written, in the caller's transaction if there is one.
        written: bool,
        /// The error of the database.
        error: DieselError,
    },
    /// The database refused the row because of a constraint. Neither the row nor the event was written.
    #[error("{subject}: {kind}{}", constraint::target(name, columns))]
    Constraint {
        /// The subject of the failed statement.
        subject: Subject,
        /// The kind of constraint.
        kind: ConstraintKind,
        /// The constraint's name, if the database reports it; empty on SQLite.
        name: String,
        /// The constraint's columns, if the database reports them; otherwise empty.
        columns: Vec<String>,
        /// The error of the database.
        source: Box<DieselError>,
    },
    /// The transaction's snapshot is too old to write on, or PostgreSQL aborted the transaction in favor of others:
    /// because of a deadlock or, on a standby, because of a conflict with recovery. Or another connection changed the
    /// types of the table's columns after this connection prepared a statement; the connection has forgotten its prepared
    /// statements then. Roll the whole transaction back and run it again.
    #[error(
        "{subject}: another transaction changed what this one has read, or both waited for each other; roll back and \
         run it again"
    )]
    SerializationFailure {
        /// The subject of the failed statement.
        subject: Subject,
        /// The error of the database.
        source: DieselError,
    },
    /// Another writer holds the lock.
    ///
    /// On SQLite this is the lock of the whole file. A `busy_timeout` on the connection makes writers wait for each
    /// other. If the transaction has read data that another writer has changed since, waiting does not help; only
    /// running the transaction again does.
    ///
    /// On PostgreSQL this is the lock of a row or a table, and the connection was configured not to wait longer:
    /// `lock_timeout` ran out, or a statement used `NOWAIT`.
    #[error(
        "{subject}: another writer holds the lock; wait longer for it (SQLite: `PRAGMA busy_timeout`, PostgreSQL: \
         `lock_timeout`), and roll back and rerun a transaction that had read before it wrote"
    )]
    Busy {
        /// The subject of the failed statement.
        subject: Subject,
        /// The error of the database.
        source: DieselError,
    },
    /// A link leads to an event that the record does not have. Nothing was written.
    #[error("{record}: the link `{link}` leads to event {event}, which does not belong to this record")]
    Link {
        /// The record.
        record: Subject,
        /// The name of the link.
        link: &'static str,
        /// The id of the event that the link should lead to.
        event: uuid::Uuid,
    },
    /// A check of hashes was run on a log without hashes.
    #[error("the log `{log}` has no hashes; declare it `#[event_log(hashed)]`")]
    NotHashed {
        /// The name of the log's table.
        log: &'static str,
    },
    /// The last checkpoint of the log, on which the next one would build, was changed.
    #[error("checkpoint {number} of the log `{log}` was changed; `verify_checkpoints()` shows what is wrong")]
    BrokenCheckpoint {
        /// The name of the log's table.
        log: &'static str,
        /// The number of the checkpoint.
        number: i64,
    },
    /// A checkpoint could not be signed.
    #[error("a checkpoint of the log `{log}` could not be signed: {error}")]
    Sign {
        /// The name of the log's table.
        log: &'static str,
        /// The error of the signer.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A proof cannot be made.
    #[error("the log `{log}` cannot prove that: {reason}")]
    Unprovable {
        /// The name of the log's table.
        log: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// The model does not have all columns of its table, so its rows cannot be rebuilt from the log.
    #[error("{schema}: the table has columns that the model does not know, and that no log could restore: {}; \
             add them to the model, or materialize records one by one", columns.join(", "))]
    IncompleteModel {
        /// The model's name in the log.
        schema: &'static str,
        /// The columns that the model lacks.
        columns: Vec<String>,
    },
    /// The database accepted the write and did not carry it out: a trigger, a rule or a policy of row level security
    /// suppressed the row. Neither the row nor the event was written. On PostgreSQL, the caller's transaction has failed.
    #[error(
        "{record}: the database did not write the row and reported no error, because of a trigger, a rule or a \
         policy of the table; nothing was written"
    )]
    NotWritten {
        /// The record.
        record: Subject,
    },
    /// The row has another key than the command asked for: a trigger changed it, or the database takes keys for equal
    /// that differ, because of the type or the collation of the column. Nothing was written.
    #[error(
        "{record}: its row has the key {found}; a trigger changes keys, or the column takes different keys for equal: \
         write the key as the row has it, or give the column a collation that compares exactly"
    )]
    OtherKey {
        /// The record that the command asked for.
        record: Subject,
        /// The key of the row.
        found: String,
    },
    /// The key's column takes keys for equal that differ, because of its type or its collation. A table with such keys
    /// cannot be compared with a log, in which keys that differ are different records. Nothing was read or written.
    #[error(
        "{schema}: {reason}, so that keys which differ can be equal, and rows cannot be compared with their log; give \
         the column a type and a collation that compare exactly"
    )]
    InexactKey {
        /// The model's name in the log.
        schema: &'static str,
        /// The column, and its type or collation.
        reason: String,
    },
    /// Row level security keeps the row from the connection's user: the user cannot see it, or can see it and not change
    /// it. The log cannot tell a hidden row from a deleted one, so nothing was written. Run the operation as a user that
    /// the table's policies allow to select, update and delete the row, or to whom they do not apply.
    #[error(
        "{record}: row level security hides its row from this user, or lets this user read it and not change it; \
         nothing was written"
    )]
    RowSecurity {
        /// The record, or the model if the operation is about many records.
        record: Subject,
    },
    /// Two logs that the program declares apart have one table: the tables of their models have the same name, in two
    /// schemas. Nothing was done.
    #[error(
        "the log `{log}` is declared twice, as `{}` and as `{}`, because tables of two schemas have one name; write \
         `#[evented(log(db_schema = \"…\"))]` on one of the models, or let both share a log", declared[0], declared[1]
    )]
    AmbiguousLog {
        /// The name of the log's table.
        log: &'static str,
        /// The types of the two logs.
        declared: [&'static str; 2],
    },
    /// The log has a format version that is newer than this version of the library.
    #[error(
        "the log `{log}` has format version {found}, and this version of evented knows versions up to {known}; use a \
         newer evented"
    )]
    LogFormat {
        /// The name of the log's table.
        log: &'static str,
        /// The format version of the log.
        found: i32,
        /// The newest format version that this version of the library knows.
        known: i32,
    },
    /// A position of one stream of changes was given to a reader of another stream.
    #[error(
        "the position {position} does not belong to the log `{log}`; resume each reader from a position of its own stream"
    )]
    Position {
        /// The name of the log's table.
        log: &'static str,
        /// The position.
        position: evented_core::Position,
    },
    /// The stream of changes cannot continue from a position, because the database was restored or copied after the
    /// position was issued.
    #[error(
        "the log `{log}` cannot be read from that position: {reason}; read the records again, and start at the present"
    )]
    MustRefetch {
        /// The name of the log's table.
        log: &'static str,
        /// The reason.
        reason: &'static str,
    },
    /// The log contains events of transactions that this server has not begun yet, because the log was moved from
    /// another server. A reader would receive new events before old ones.
    #[error(
        "the log `{log}` was copied from another server: its last event is of transaction {txid}, and the next one \
         here is {next}; restore the database with its transaction counter, or set `txid` of the old events to 0 with \
         the triggers of the log switched off"
    )]
    ForeignLog {
        /// The name of the log's table.
        log: &'static str,
        /// The transaction id of the log's last event.
        txid: i64,
        /// The next transaction id of this server.
        next: i64,
    },
    /// A read point was taken outside a transaction, or in a transaction in which each statement uses a snapshot of its
    /// own.
    #[error(
        "a read point of `{schema}` must be taken in the transaction that reads the rows, and on PostgreSQL that must be \
         `REPEATABLE READ`: `conn.build_transaction().repeatable_read().run(…)`"
    )]
    ReadPoint {
        /// The model's name in the log.
        schema: &'static str,
    },
    /// One command of a batch failed, so none of its commands was executed.
    #[error("command {index} of the batch: {error}")]
    Batch {
        /// The index of the command in the batch, starting at 0.
        index: usize,
        /// The error of that command.
        error: Box<Error>,
    },
    /// The database, or the connection to it, failed.
    #[error("{subject}: {error}")]
    Database {
        /// The subject of the failed statement.
        subject: Subject,
        /// The error of Diesel.
        error: DieselError,
    },
    /// An operation of another evented crate failed with an error of that crate, which is the source.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// A future on a blocking connection was not ready at once. This cannot happen with Diesel's own connections.
    #[error("an operation on a blocking connection did not complete synchronously")]
    NotReady,
}

// Errors are passed by value: every `?` in the user's code would move a larger one around.
const _: () = assert!(size_of::<Error>() < 128);
