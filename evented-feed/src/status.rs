//! What a hub reports about itself: its state, its delay and its subscriptions.

use std::time::Duration;

use chrono::{DateTime, Utc};
use evented_diesel::spi::BlockingSession;
use serde::Serialize;

/// The state of a hub. See [`Hub::status`](crate::Hub::status).
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct HubStatus {
    /// Whether the hub has a working connection.
    pub connected: bool,
    /// The last failure while the hub tries again, or the reason why the hub ended; otherwise `None`.
    pub error: Option<String>,
    /// How many times the hub has reconnected.
    pub reconnects: u64,
    /// The open transaction that delays committed changes; `None` if there is none, or if it has delayed them for less
    /// than one second.
    pub delay: Option<Delay>,
}

/// An open transaction that delays the changes that were committed after it began. PostgreSQL only.
///
/// It delays changes and loses none. A session that idles in a transaction delays them indefinitely: set PostgreSQL's
/// `idle_in_transaction_session_timeout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Delay {
    /// How long the transaction has delayed changes so far.
    pub duration: Duration,
    /// The number of the oldest such transaction.
    pub txid: i64,
    /// The session that holds the transaction open; `None` if the hub did not find it.
    pub blocker: Option<BlockingTransaction>,
}

/// The session that holds a transaction open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockingTransaction {
    /// The process id of the session; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The `application_name` of the session, or the name of the prepared transaction.
    pub name: String,
    /// The user of the session.
    pub user: String,
    /// The database of the session, which can be another one of the same server.
    pub database: String,
    /// The state in `pg_stat_activity`: `idle in transaction`, for example.
    pub state: String,
    /// When the transaction began.
    pub since: Option<DateTime<Utc>>,
}

impl From<BlockingSession> for BlockingTransaction {
    fn from(session: BlockingSession) -> Self {
        let BlockingSession { pid, name, user, database, state, since } = session;
        Self { pid, name, user, database, state, since }
    }
}

/// A subscription, as the hub sees it. See [`Hub::subscriptions`](crate::Hub::subscriptions).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SubscriptionInfo {
    /// The number of the subscription: [`Feed::id`](crate::Feed::id).
    pub id: u64,
    /// The channels of the subscription, as text.
    pub channels: Vec<String>,
    /// How many changes are in the subscriber's buffer.
    pub buffered: usize,
    /// How many changes the buffer holds. With one more change the subscriber has fallen behind.
    pub capacity: usize,
    /// Whether the subscriber still receives changes that were committed before it subscribed.
    pub catching_up: bool,
}
