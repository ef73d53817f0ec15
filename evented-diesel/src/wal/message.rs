//! What a [`Tail`](super::Tail) gives.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Lsn, Old, Relation, Tuple};

/// A piece of the stream. The changes of a transaction come between its [`Begin`](Self::Begin) and its
/// [`Commit`](Self::Commit), in the order in which they were made; transactions come one after the other, in the order
/// in which they were committed. What was rolled back, up to a savepoint or altogether, does not come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A transaction begins. It has been committed already.
    Begin {
        /// The transaction's number, as `pg_current_xact_id()` gives it, without its epoch.
        xid: u32,
        /// Where its commit is in the log. Greater than that of every transaction before it.
        commit: Lsn,
        /// When it was committed, by the server's clock.
        at: DateTime<Utc>,
    },
    /// A table is described: before its first change, and before the first one after a change of the table. Each change
    /// carries its relation; so this says only that there is something to look at.
    Relation {
        /// The table as it is from now on.
        relation: Arc<Relation>,
        /// Why it is told.
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
        /// The row before, as far as the table's [`Identity`](super::Identity) says: whole, or its key if that was
        /// changed.
        old: Option<Old>,
        /// The row after. A large value that was not touched may be missing from it: [`Cell::Unchanged`](super::Cell).
        new: Tuple,
    },
    /// A row was deleted.
    Delete {
        /// The table.
        relation: Arc<Relation>,
        /// What is known of it.
        old: Old,
    },
    /// Tables were emptied.
    Truncate {
        /// The tables: those that are published.
        relations: Vec<Arc<Relation>>,
        /// `CASCADE`.
        cascade: bool,
        /// `RESTART IDENTITY`.
        restart_identity: bool,
    },
    /// `pg_logical_emit_message(…)` was called.
    Logical {
        /// The message's prefix.
        prefix: String,
        /// The message.
        content: Bytes,
        /// Whether it is a part of the transaction it is in. If not, it comes at once and outside of every transaction,
        /// is there to stay even if the transaction is rolled back, and may come again after a reconnect.
        transactional: bool,
        /// Where it is in the log.
        at: Lsn,
    },
    /// The transaction ends.
    Commit {
        /// Where its commit is in the log, as [`Begin`](Self::Begin) said.
        commit: Lsn,
        /// Where it ends. This is the position to keep, and to [`confirm`](super::Tail::confirm).
        end: Lsn,
    },
    /// The connection broke within a transaction. Forget what came since the last [`Begin`](Self::Begin): the
    /// transaction comes anew, from its `Begin`. It is told as soon as the break is noticed.
    Restarted,
    /// Nothing is there up to this position but what has come already.
    Idle {
        /// The position.
        at: Lsn,
    },
}

/// Why a [`Message::Relation`] is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is the table's first change that this tail sees.
    First,
    /// Its name, its columns or its identity are other ones than before.
    Changed {
        /// The table as it was told last.
        before: Arc<Relation>,
    },
}
