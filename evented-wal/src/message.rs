//! The messages that a [`Tail`](super::Tail) returns.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::lsn::Lsn;
use crate::relation::Relation;
use crate::tuple::{Old, Tuple};

/// A message of the stream.
///
/// The changes of a transaction come between its [`Begin`](Self::Begin) and its [`Commit`](Self::Commit), in the
/// order in which they were made. Transactions come one after the other, in the order in which they were committed.
/// The stream does not include changes that were rolled back, whether to a savepoint or with the whole transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A transaction begins. It has already been committed.
    Begin {
        /// The transaction's number, as `pg_current_xact_id()` returns it, without its epoch.
        xid: u32,
        /// The position of the commit in the log. It is greater than that of every transaction before it.
        commit: Lsn,
        /// When the transaction was committed, by the server's clock.
        at: DateTime<Utc>,
    },
    /// Describes a table, before its first change and before the first change after the table was altered. Each
    /// change carries its relation, so a consumer may ignore this message.
    Relation {
        /// The table as it is from now on.
        relation: Arc<Relation>,
        /// Why the table is described.
        seen: Seen,
    },
    /// A row was inserted.
    Insert {
        /// The table.
        relation: Arc<Relation>,
        /// The row.
        new: Tuple,
    },
    /// A row was updated.
    Update {
        /// The table.
        relation: Arc<Relation>,
        /// The row before the update, as far as the table's [`Identity`](super::Identity) includes it: the whole row,
        /// or its key if the key changed. `None` otherwise.
        old: Option<Old>,
        /// The row after the update. A large value that the update did not touch may be missing:
        /// [`Cell::Unchanged`](super::Cell).
        new: Tuple,
    },
    /// A row was deleted.
    Delete {
        /// The table.
        relation: Arc<Relation>,
        /// The part of the row that the log has.
        old: Old,
    },
    /// `TRUNCATE` emptied tables.
    Truncate {
        /// The emptied tables that are published.
        relations: Vec<Arc<Relation>>,
        /// Whether `TRUNCATE` had `CASCADE`.
        cascade: bool,
        /// Whether `TRUNCATE` had `RESTART IDENTITY`.
        restart_identity: bool,
    },
    /// `pg_logical_emit_message(…)` was called.
    Logical {
        /// The message's prefix.
        prefix: String,
        /// The content of the message.
        content: Bytes,
        /// Whether the message is part of its transaction. If not, it comes at once and outside of every transaction,
        /// it is not removed if the transaction is rolled back, and it may come again after a reconnect.
        transactional: bool,
        /// The position of the message in the log.
        at: Lsn,
    },
    /// The transaction ends.
    Commit {
        /// The position of the commit in the log, the same as in [`Begin`](Self::Begin).
        commit: Lsn,
        /// The position of the transaction's end. Store this position, and [`confirm`](super::Tail::confirm) it.
        end: Lsn,
    },
    /// The connection broke within a transaction. Discard everything since the last [`Begin`](Self::Begin): the
    /// transaction will come again, from its `Begin`. The tail returns this message as soon as it detects the break.
    Restarted,
    /// The server has no further changes up to this position.
    Idle {
        /// The position.
        at: Lsn,
    },
}

/// The reason for a [`Message::Relation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// This is the first change of the table that the tail receives.
    First,
    /// The table's name, columns or identity have changed.
    Changed {
        /// The table as it was last described.
        before: Arc<Relation>,
    },
}
