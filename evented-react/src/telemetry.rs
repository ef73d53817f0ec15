//! The spans and events that this crate reports to `tracing`.

#[cfg(feature = "metrics")]
use std::time::Duration;

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

/// Reports how far a subscriber is behind one of its logs.
#[cfg(feature = "metrics")]
pub(crate) fn lag(subscriber: &str, log: &str, events: u64, oldest: Duration) {
    let labels = || vec![label("subscriber", subscriber), label("log", log)];
    metrics::gauge!("evented_react_lag_events", labels()).set(number(events));
    metrics::gauge!("evented_react_lag_seconds", labels()).set(oldest.as_secs_f64());
}

/// Reports how many deliveries of a subscriber are set aside, and how many of them are dead.
#[cfg(feature = "metrics")]
pub(crate) fn aside(subscriber: &str, set_aside: u64, dead: u64) {
    let labels = || vec![label("subscriber", subscriber)];
    metrics::gauge!("evented_react_set_aside", labels()).set(number(set_aside));
    metrics::gauge!("evented_react_dead", labels()).set(number(dead));
}

/// Reports how long the transaction of a session has been open that holds up the reading.
#[cfg(feature = "metrics")]
pub(crate) fn delay(holder: &str, time: Duration) {
    metrics::gauge!("evented_react_delay_seconds", vec![label("holder", holder)]).set(time.as_secs_f64());
}

#[cfg(feature = "metrics")]
fn label(name: &'static str, value: &str) -> metrics::Label {
    metrics::Label::new(name, value.to_owned())
}

#[cfg(feature = "metrics")]
#[expect(clippy::cast_precision_loss, reason = "a gauge has no more digits")]
fn number(count: u64) -> f64 {
    count as f64
}

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
