//! A subscriber that writes down what it hears.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// A span or an event, with its fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) name: String,
    pub(crate) fields: BTreeMap<String, String>,
}

/// What is heard: of a span its number, by which more of it may be heard later.
type Spoken = Vec<(Option<u64>, Heard)>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Ear {
    /// Spans as they are opened, and events as they come.
    heard: Arc<Mutex<Spoken>>,
}

impl Ear {
    /// Listens to this thread, until the guard is dropped.
    pub(crate) fn listen(&self) -> DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    /// What was heard since, of the library.
    pub(crate) fn taken(&self) -> Vec<Heard> {
        let all = std::mem::take(&mut *self.heard.lock().unwrap());
        all.into_iter().map(|(_, heard)| heard).filter(|heard| heard.name.starts_with("evented.")).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ear {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut heard = Heard { name: attributes.metadata().name().to_owned(), ..Heard::default() };
        attributes.record(&mut heard);
        self.heard.lock().unwrap().push((Some(id.into_u64()), heard));
    }
    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut all = self.heard.lock().unwrap();
        if let Some((_, heard)) = all.iter_mut().rev().find(|(span, _)| *span == Some(id.into_u64())) {
            values.record(heard);
        }
    }
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut heard = Heard { name: event.metadata().name().to_owned(), ..Heard::default() };
        event.record(&mut heard);
        self.heard.lock().unwrap().push((None, heard));
    }
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "message" {
            self.fields.insert(field.name().to_owned(), format!("{value:?}"));
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}
