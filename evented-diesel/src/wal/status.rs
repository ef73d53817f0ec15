//! How far a tail is.

use std::time::Duration;

use super::Lsn;

/// How far a [`Tail`](super::Tail) is: its numbers for a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Up to where everything has been passed on to the consumer.
    pub received: Lsn,
    /// What the consumer has confirmed.
    pub confirmed: Lsn,
    /// What the server may forget: `confirmed`, and what was idle behind it.
    pub acknowledged: Lsn,
    /// How long ago the server was last heard of. A server that has nothing to say is heard of after half of
    /// [`Config::liveness`](super::Config::liveness).
    pub since_last_message: Duration,
    /// Whether there is a connection.
    pub connected: bool,
    /// How often the connection was made anew.
    pub reconnects: u64,
}
