//! Errors that occur while the log is read.

use std::time::Duration;

use crate::decode::DecodeError;
use crate::lsn::Lsn;
use crate::published_in_part::PublishedInPart;
use crate::system::SystemId;

/// Why a [`Tail`](super::Tail) cannot be opened, or has ended.
///
/// A temporary failure is not a `WalError`: a server that restarts, a network failure, or a slot that its last reader
/// still holds. The tail reconnects in these cases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// Some changes between the consumer's position and the present are missing, or belong to another history of the
    /// server. Read the tables again, and start with a new slot.
    #[error("changes are missing, read the tables again: {reason}")]
    MustRefetch {
        /// Why changes are missing.
        reason: Gap,
    },
    /// The slot does not exist.
    #[error("there is no replication slot `{slot}`: create it with `wal::create_slot`")]
    MissingSlot {
        /// The slot's name.
        slot: String,
    },
    /// The library cannot read this slot.
    #[error("the replication slot `{slot}` has {what} `{found}`, and `{wanted}` is required")]
    WrongSlot {
        /// The slot's name.
        slot: String,
        /// The property that is wrong: the slot's plugin or its database.
        what: &'static str,
        /// The value that the slot has.
        found: String,
        /// The value that it should have.
        wanted: String,
    },
    /// Another reader held the slot until the timeout. A slot has one reader at a time.
    #[error("another reader holds the replication slot `{slot}`; there can be only one")]
    SlotBusy {
        /// The slot's name.
        slot: String,
    },
    /// The publication does not exist.
    #[error(
        "there is no publication `{publication}`: create it with `wal::create_publication`, before the slot"
    )]
    MissingPublication {
        /// The publication's name.
        publication: String,
    },
    /// The publication does not include a table that the tail must read.
    #[error(
        "the table {table} is not published: run `ALTER PUBLICATION {} ADD TABLE {table}`",
        crate::quoting::quoted(publication)
    )]
    NotPublished {
        /// The table's name.
        table: String,
        /// The publication's name.
        publication: String,
    },
    /// A table that the tail must read does not exist, or its schema is not in the `search_path` of the connection.
    #[error("there is no table {table} on the `search_path` of the connection")]
    MissingTable {
        /// The table's name.
        table: String,
    },
    /// The publication omits some kinds of changes of a table that the tail must read.
    #[error(
        "the publication {0} leaves out changes of {table}: run \
             `ALTER PUBLICATION {0} SET (publish = 'insert, update, delete, truncate')`",
        crate::quoting::quoted(publication)
    )]
    Partial {
        /// The table's name.
        table: String,
        /// The publication's name.
        publication: String,
    },
    /// The publication omits rows or columns of a table that the tail must read.
    #[error(transparent)]
    PublishedInPart(#[from] PublishedInPart),
    /// The log does not have the complete rows of a table before a change.
    #[error(
        "the server does not send the old rows of {table}: run `ALTER TABLE {table} REPLICA IDENTITY FULL`"
    )]
    NotWhole {
        /// The table's name.
        table: String,
    },
    /// The server does not write the information that logical decoding needs.
    #[error(
        "the server has `wal_level = {found}`: set `wal_level = logical` in its configuration, and restart it"
    )]
    WalLevel {
        /// The server's `wal_level`.
        found: String,
    },
    /// The role is not allowed to read the log.
    #[error(
        "the role `{user}` may not read the log: run `ALTER ROLE {} REPLICATION` ({server})",
        crate::quoting::quoted(user)
    )]
    NoReplicationRole {
        /// The role's name.
        user: String,
        /// The server's error.
        server: ServerError,
    },
    /// The server rejects the role or its password.
    #[error("the server refuses the role `{user}`: {message}")]
    Authentication {
        /// The role's name.
        user: String,
        /// The server's message.
        message: String,
    },
    /// The client and the server could not agree on encryption.
    #[error("the encrypted connection failed: {message}")]
    Tls {
        /// Why there is no encryption.
        message: String,
    },
    /// The server could not be reached within the timeout of the [`Config`](super::Config).
    #[error("no connection was established within {} s: {message}", after.as_secs())]
    Unreachable {
        /// How long the tail tried to connect.
        after: Duration,
        /// The failure of the last attempt.
        message: String,
    },
    /// A single message is larger than the [`Config`](super::Config) allows.
    #[error("a message has {size} bytes, and the limit is {limit} bytes; see `Config::max_message`")]
    TooLarge {
        /// The message's size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The server reported another error.
    #[error("the server reported an error: {0}")]
    Server(ServerError),
    /// The server does not follow the protocol.
    #[error("the server does not follow the protocol: {0}")]
    Protocol(String),
    /// A message could not be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Why changes are missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// The slot existed and was dropped.
    #[error("the replication slot `{slot}` was dropped")]
    SlotDropped {
        /// The slot's name.
        slot: String,
    },
    /// The slot needs a part of the log that the server has removed, because of `max_slot_wal_keep_size`.
    #[error("the replication slot `{slot}` was invalidated: {cause}")]
    SlotLost {
        /// The slot's name.
        slot: String,
        /// The cause that the server reports.
        cause: String,
    },
    /// The connection of a temporary slot broke, and the server dropped the slot.
    #[error("the connection broke, and its temporary slot with it: {message}")]
    TemporarySlotGone {
        /// How the connection broke.
        message: String,
    },
    /// The publication was dropped and created again. The changes in between cannot be read.
    #[error(
        "the publication `{publication}` is younger than changes that the slot still holds: create the slot again"
    )]
    PublicationYounger {
        /// The publication's name.
        publication: String,
    },
    /// A table that the tail requires was renamed, or moved to another schema, while the tail read it.
    #[error(
        "the table {table} was renamed to {found}: name it by its present name, or rename it back, and start again"
    )]
    TableRenamed {
        /// The table's name when the tail was opened, with its schema.
        table: String,
        /// The table's present name, with its schema.
        found: String,
    },
    /// The name of a table that the tail requires no longer means the table that it read: the table was dropped or
    /// renamed, or another table has its name.
    #[error(
        "the table {table} was dropped, renamed or replaced by another one: publish the table that has the name now, and \
         create the slot again"
    )]
    TableReplaced {
        /// The table's name when the tail was opened, with its schema.
        table: String,
    },
    /// A table that the tail requires was taken out of its publication, or the publication was altered, while the tail
    /// read it. Changes may have been left out meanwhile, even if it was altered back.
    #[error(
        "the publication `{publication}` was altered, and may have left out changes of {table}: publish the table, and \
         create the slot again"
    )]
    PublicationAltered {
        /// The publication's name.
        publication: String,
        /// The table's name, with its schema.
        table: String,
    },
    /// The server is not the one that the position belongs to, or its history has forked.
    #[error("the server is {found}, and the position is of {expected}")]
    OtherSystem {
        /// The server that the position belongs to.
        expected: SystemId,
        /// The server that the tail is connected to.
        found: SystemId,
    },
    /// The server's log ends before the position: the server was restored from a backup.
    #[error("the position {position} is ahead of the server, which is at {server}")]
    Ahead {
        /// The consumer's position.
        position: Lsn,
        /// The end of the server's log.
        server: Lsn,
    },
}

/// An error that the server reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
#[non_exhaustive]
pub struct ServerError {
    /// The `SQLSTATE` code; empty if the server sent none.
    pub code: String,
    /// The server's message.
    pub message: String,
}
