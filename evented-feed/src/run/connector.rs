//! Abstracts over blocking and async code: how a loop connects, and how it waits.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use event_listener::EventListener;
use evented_diesel::spi::{EventedBackend, Executor};

/// The type that a connection's own errors are converted to.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections, blocking or async.
pub trait Connector<DB: EventedBackend>: Send {
    /// The connection.
    type Executor: Executor<DB>;
    /// Opens a connection.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Executor, BoxError>> + Send;
}

/// Waits, blocking or async.
pub trait Pace: Send + Sync {
    /// Waits for a hint, for at most `at_most`. Returns whether it arrived.
    fn wait_for(&self, hint: EventListener, at_most: Duration) -> impl Future<Output = bool> + Send;
    /// Waits for this time.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The longest pause between two attempts to connect.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Returns the pauses between attempts to connect. They grow, with jitter, so that programs do not reconnect in step.
pub fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}
