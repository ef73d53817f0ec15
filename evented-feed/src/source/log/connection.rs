//! Abstracts over blocking and async code: how a source connects, and how it waits.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use event_listener::EventListener;
use evented_diesel::spi::{EventedBackend, Executor};

/// The type that a connection's own errors are converted to.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections, blocking or async.
pub(crate) trait Connector<DB: EventedBackend>: Send {
    type Executor: Executor<DB>;
    fn connect(&mut self) -> impl Future<Output = Result<Self::Executor, BoxError>> + Send;
}

/// Waits, blocking or async.
pub(crate) trait Pace: Send + Sync {
    /// Waits for a hint, for at most `at_most`. Returns whether it arrived.
    fn wait_for(&self, hint: EventListener, at_most: Duration) -> impl Future<Output = bool> + Send;
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The longest pause between two attempts to connect.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Returns the pauses between attempts to connect. They grow, with jitter, so that hubs do not reconnect in step.
pub(crate) fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}
