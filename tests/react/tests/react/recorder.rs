//! Keeps what the workers of this process report to `metrics`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// The values of this process, by their name and labels.
static VALUES: LazyLock<Mutex<HashMap<String, Arc<AtomicU64>>>> = LazyLock::new(|| {
    metrics::set_global_recorder(Kept).expect("the first recorder");
    Mutex::default()
});

/// Keeps from now on what is reported.
pub(crate) fn start() {
    LazyLock::force(&VALUES);
}

fn value(name: &str) -> Arc<AtomicU64> {
    Arc::clone(VALUES.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default())
}

/// Returns a counter, by its name and its labels in their order: `name subscriber=mails`.
pub(crate) fn counter(name: &str) -> u64 {
    value(name).load(Ordering::SeqCst)
}

/// Returns a gauge.
pub(crate) fn gauge(name: &str) -> f64 {
    f64::from_bits(counter(name))
}

struct Kept;

fn name(key: &Key) -> String {
    let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
    std::iter::once(key.name().to_owned()).chain(labels).collect()
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(value(&name(key)))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(value(&name(key)))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
