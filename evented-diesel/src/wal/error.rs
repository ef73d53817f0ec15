//! What can go wrong while the log is read.

use std::time::Duration;

use super::{DecodeError, Lsn, System};

/// Why a [`Tail`](super::Tail) cannot be opened, or has ended.
///
/// Whatever passes by itself is none of them: a server that restarts, a network that breaks, a slot that its last reader
/// has not let go of yet. The tail connects again then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// The changes between the consumer's position and now are not all there any more, or are those of another history.
    /// Read the tables anew, and begin with a fresh slot.
    #[error("changes are missing, read the tables anew: {reason}")]
    MustRefetch {
        /// Why.
        reason: Gap,
    },
    /// There is no slot of this name.
    #[error("there is no replication slot `{slot}`: create it with `wal::create_slot`")]
    MissingSlot {
        /// The slot.
        slot: String,
    },
    /// The slot is not one that this library can read.
    #[error("the replication slot `{slot}` has {what} `{found}`, and `{wanted}` is wanted")]
    WrongSlot {
        /// The slot.
        slot: String,
        /// What is wrong with it: its plugin, or its database.
        what: &'static str,
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// Another reader holds the slot, and did not let go of it in time. A slot has one reader at a time.
    #[error("another reader holds the replication slot `{slot}`; there can be only one")]
    SlotBusy {
        /// The slot.
        slot: String,
    },
    /// There is no publication of this name.
    #[error(
        "there is no publication `{publication}`: create it with `wal::create_publication`, before the slot"
    )]
    MissingPublication {
        /// The publication.
        publication: String,
    },
    /// A table that is to be read is not published.
    #[error(
        "the table {table} is not published: run `ALTER PUBLICATION {} ADD TABLE {table}`",
        super::sql::quoted(publication)
    )]
    NotPublished {
        /// The table.
        table: String,
        /// The publication that is read.
        publication: String,
    },
    /// A table whose rows do not come as they were before a change.
    #[error("the rows of {table} do not come as they were: run `ALTER TABLE {table} REPLICA IDENTITY FULL`")]
    NotWhole {
        /// The table.
        table: String,
    },
    /// The server does not write what a logical reader needs.
    #[error(
        "the server has `wal_level = {found}`: set `wal_level = logical` in its configuration, and restart it"
    )]
    WalLevel {
        /// What it is set to.
        found: String,
    },
    /// The role may not read the log.
    #[error(
        "the role `{user}` may not read the log: run `ALTER ROLE {} REPLICATION` ({server})",
        super::sql::quoted(user)
    )]
    NoReplicationRole {
        /// The role.
        user: String,
        /// What the server said.
        server: ServerError,
    },
    /// The server does not believe who we are.
    #[error("the server refuses the role `{user}`: {message}")]
    Authentication {
        /// The role.
        user: String,
        /// What it said.
        message: String,
    },
    /// Encryption could not be agreed on.
    #[error("no encrypted connection: {message}")]
    Tls {
        /// Why.
        message: String,
    },
    /// The server could not be reached for as long as the [`Config`](super::Config) waits.
    #[error("no connection after {} s: {message}", after.as_secs())]
    Unreachable {
        /// How long it was tried.
        after: Duration,
        /// How the last attempt failed.
        message: String,
    },
    /// A single message is larger than the [`Config`](super::Config) allows.
    #[error("a message of {size} bytes, where {limit} are allowed; see `Config::max_message`")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The server said something else.
    #[error("the server: {0}")]
    Server(ServerError),
    /// The server does not follow the protocol.
    #[error("the server does not follow the protocol: {0}")]
    Protocol(String),
    /// A message could not be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Why changes are missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// The slot was there, and was dropped.
    #[error("the replication slot `{slot}` was dropped")]
    SlotDropped {
        /// The slot.
        slot: String,
    },
    /// The slot needs a part of the log that the server has removed, as `max_slot_wal_keep_size` told it to.
    #[error("the replication slot `{slot}` was invalidated: {cause}")]
    SlotLost {
        /// The slot.
        slot: String,
        /// What the server says.
        cause: String,
    },
    /// The connection of a temporary slot broke, and the slot with it.
    #[error("the connection broke, and its temporary slot with it: {message}")]
    TemporarySlotGone {
        /// How it broke.
        message: String,
    },
    /// The publication was dropped and made again: what was written in between cannot be told.
    #[error(
        "the publication `{publication}` is younger than changes that the slot still holds: make the slot anew"
    )]
    PublicationYounger {
        /// The publication.
        publication: String,
    },
    /// It is another server than the one that the position is of, or its history has forked.
    #[error("the server is {found}, and the position is of {expected}")]
    OtherSystem {
        /// The one that was remembered.
        expected: System,
        /// The one that is there.
        found: System,
    },
    /// The server has not written as far as the position is: it was restored from a backup.
    #[error("the position {position} is ahead of the server, which is at {server}")]
    Ahead {
        /// The consumer's position.
        position: Lsn,
        /// The server's.
        server: Lsn,
    },
}

/// What a server said, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
pub struct ServerError {
    /// The error's code, `SQLSTATE`; empty if it told none.
    pub code: String,
    /// The message.
    pub message: String,
}
