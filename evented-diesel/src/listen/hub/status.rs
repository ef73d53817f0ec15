//! What a hub says about itself.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How a hub is doing. See [`Hub::status`](super::Hub::status).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Status {
    /// Whether it has a connection.
    pub connected: bool,
    /// What last went wrong: it is tried again, with growing pauses.
    pub error: Option<String>,
    /// How often the connection was made anew.
    pub reconnects: u64,
    /// What keeps changes back that are committed already.
    pub delay: Option<Delay>,
}

/// A transaction that is open, and keeps back what was committed after it began: PostgreSQL alone.
///
/// It delays changes and never loses one. A session that idles in a transaction delays them for ever: see PostgreSQL's
/// `idle_in_transaction_session_timeout`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delay {
    /// For how long by now.
    pub for_so_long: Duration,
    /// The oldest such transaction.
    pub txid: i64,
    /// Whose it is, where the database tells us.
    pub holder: Option<Holder>,
}

/// The session that holds a transaction open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its process; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The `application_name` of the session, or the name of the prepared transaction.
    pub name: String,
    /// Its user.
    pub user: String,
    /// Its database: it can be another one of the same server.
    pub database: String,
    /// What it does, as `pg_stat_activity` says it: `idle in transaction`, for one.
    pub state: String,
    /// Since when the transaction is open.
    pub since: Option<DateTime<Utc>>,
}
