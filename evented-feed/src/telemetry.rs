//! Reports events to `tracing`. The names and fields are stable; the crate's documentation lists them.

use std::fmt::Display;

use crate::status::BlockingTransaction;

/// A hub lost its connection, or could not read.
pub(crate) fn hub_failed(error: &dyn Display) {
    tracing::warn!(name: "evented.feed.failed", %error, "a hub failed to read its source and retries");
}

/// A relay of hints has no connection.
#[cfg(feature = "async-postgres")]
pub(crate) fn relay_failed(error: &dyn Display) {
    tracing::warn!(name: "evented.feed.relay", %error, "a relay of hints lost its connection and reconnects");
}

/// A hub can no longer read its source.
#[cfg(feature = "wal")]
pub(crate) fn hub_ended(error: &dyn Display) {
    tracing::warn!(name: "evented.feed.ended", %error, "a hub can no longer read the write-ahead log and stops");
}

/// An open transaction delays changes.
pub(crate) fn hub_delayed(txid: i64, blocker: Option<&BlockingTransaction>) {
    let (pid, name) = (blocker.and_then(|it| it.pid), blocker.map(|it| it.name.as_str()));
    tracing::warn!(
        name: "evented.feed.delayed", txid, pid, blocker = name,
        "an open transaction delays changes"
    );
}

/// A subscriber was too slow.
pub(crate) fn subscriber_lagged(schema: &'static str, subscription: u64) {
    tracing::debug!(name: "evented.feed.lagged", schema, subscription, "a subscriber fell behind");
}
