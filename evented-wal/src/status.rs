//! The progress of a tail.

use std::time::Duration;

use crate::lsn::Lsn;

/// The progress of a [`Tail`](super::Tail), for a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TailStatus {
    /// The position up to which the tail has delivered all changes to the consumer.
    pub received: Lsn,
    /// The position that the consumer has confirmed.
    pub confirmed: Lsn,
    /// The position up to which the server may discard its log: `confirmed`, or a later one up to which there are no
    /// changes.
    pub acknowledged: Lsn,
    /// The time since the server's last message. A server without changes sends a message after half of
    /// [`Config::idle_timeout`](super::Config::idle_timeout).
    pub since_last_message: Duration,
    /// Whether the tail is connected.
    pub connected: bool,
    /// How often the tail has reconnected.
    pub reconnects: u64,
}
