//! A `tracing` subscriber that records spans and events.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// A span or an event, with its fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) fields: BTreeMap<String, String>,
}

/// Spans carry their number, since fields may be added to a span later.
type Records = Vec<(Option<u64>, Recorded)>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder {
    /// Spans in the order in which they open, and events as they occur.
    recorded: Arc<Mutex<Records>>,
}

/// A second subscriber, which records nothing. While a process has only one subscriber, `tracing` asks the first thread
/// that reaches a span or an event whether it is enabled, and caches the answer for all threads. A test that does not
/// record would then disable the records of a concurrent test that does.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

impl Recorder {
    /// Records this thread until the guard is dropped.
    pub(crate) fn listen(&self) -> DefaultGuard {
        LazyLock::force(&SECOND);
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    /// Takes the spans and events of the library since the last call.
    pub(crate) fn taken(&self) -> Vec<Recorded> {
        let all = std::mem::take(&mut *self.recorded.lock().unwrap());
        all.into_iter()
            .map(|(_, recorded)| recorded)
            .filter(|recorded| recorded.name.starts_with("evented."))
            .collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut recorded = Recorded { name: attributes.metadata().name().to_owned(), ..Recorded::default() };
        attributes.record(&mut recorded);
        self.recorded.lock().unwrap().push((Some(id.into_u64()), recorded));
    }
    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut all = self.recorded.lock().unwrap();
        if let Some((_, recorded)) = all.iter_mut().rev().find(|(span, _)| *span == Some(id.into_u64())) {
            values.record(recorded);
        }
    }
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut recorded = Recorded { name: event.metadata().name().to_owned(), ..Recorded::default() };
        event.record(&mut recorded);
        self.recorded.lock().unwrap().push((None, recorded));
    }
}

impl Visit for Recorded {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "message" {
            self.fields.insert(field.name().to_owned(), format!("{value:?}"));
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}
