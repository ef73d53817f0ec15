//! Records the statements that a connection sends.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent};

/// The statements that a connection has sent since the last call of [`taken`](Self::taken).
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Vec<String>>>);

impl Watch {
    /// Returns the instrumentation that records the statements.
    pub fn instrumentation(&self) -> impl Instrumentation {
        let watch = self.clone();
        move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                watch.0.lock().unwrap_or_else(PoisonError::into_inner).push(query.to_string());
            }
        }
    }

    /// Takes the recorded statements, each with its binds.
    #[must_use]
    pub fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
