//! The connection of a tail, while it is up and while it is down.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::session::{Session, Unopened};

/// The connection of a tail.
pub(crate) enum Link<T> {
    Up(T),
    /// A task is reconnecting. It is a task because the consumer may drop the future that waits for it.
    Down {
        since: Instant,
        delays: ExponentialBackoff,
        undefined: bool,
        attempt: Option<JoinHandle<Result<Session<T>, Unopened>>>,
    },
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        if let Self::Down { attempt: Some(attempt), .. } = self {
            attempt.abort();
        }
    }
}

/// The delays between attempts to connect.
pub(crate) fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times()
        .build()
}
