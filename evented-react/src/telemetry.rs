//! The spans and events that this crate reports to `tracing`.

use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::key::OrderKey;

/// Creates the span of a handler. `cause` is the id of the event that it handles.
pub(crate) fn handle(subscriber: &str, event: Uuid, attempt: u32) -> Span {
    tracing::debug_span!("evented.handle", subscriber, cause = %event, attempt)
}

/// Runs a future within a span.
pub(crate) async fn within<T>(span: Span, work: impl Future<Output = T>) -> T {
    work.instrument(span).await
}

/// Counts something of a subscriber, for `metrics`.
#[cfg(feature = "metrics")]
fn count(name: &'static str, subscriber: &str, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    metrics::counter!(name, "subscriber" => subscriber.to_owned()).increment(count);
}

#[cfg(not(feature = "metrics"))]
fn count(_: &'static str, _: &str, _: usize) {}

/// Counts deliveries that were handled.
pub(crate) fn handled(subscriber: &str, deliveries: usize) {
    count("evented_react_handled_total", subscriber, deliveries);
}

/// Reports that a delivery was set aside.
pub(crate) fn set_aside(subscriber: &str, key: &OrderKey, error: &str) {
    count("evented_react_failed_total", subscriber, 1);
    tracing::warn!(
        name: "evented.react.set_aside", subscriber, %key, error,
        "a delivery failed and is set aside; its key waits"
    );
}

/// Reports that a delivery is not tried again.
pub(crate) fn dead(subscriber: &str, key: &OrderKey, error: &str) {
    count("evented_react_dead_total", subscriber, 1);
    tracing::warn!(
        name: "evented.react.dead", subscriber, %key, error,
        "a delivery is not tried again until somebody says so"
    );
}

/// Reports that a part belongs to another worker now.
pub(crate) fn lost(subscriber: &str, part: i32) {
    count("evented_react_fenced_total", subscriber, 1);
    tracing::warn!(
        name: "evented.react.fenced", subscriber, part,
        "a part belongs to another worker, or to a newer version of the subscriber; nothing of the batch was written"
    );
}

/// Reports that a part was taken from a worker that is no longer seen.
pub(crate) fn taken_over(subscriber: &str, part: i32) {
    count("evented_react_taken_over_total", subscriber, 1);
    tracing::info!(name: "evented.react.taken_over", subscriber, part, "a part of a dead worker was taken");
}

/// Reports that a worker could not work.
pub(crate) fn worker_failed(error: &str) {
    tracing::warn!(name: "evented.react.failed", error, "a worker could not work; it tries again");
}

/// Reports that a subscriber does not go on.
pub(crate) fn stalled(subscriber: &str, reason: &str) {
    tracing::error!(name: "evented.react.stalled", subscriber, reason, "a subscriber does not go on");
}

/// Reports that a newer program has registered a schedule, so that this one publishes nothing for it.
#[cfg(feature = "cron")]
pub(crate) fn older_schedule(schedule: &str, version: i32, registered: i32) {
    tracing::warn!(
        name: "evented.react.older_schedule", schedule, version, registered,
        "a newer version of the schedule is registered; this program publishes nothing for it"
    );
}
