//! What a subscriber with handlers must do, as a model without a database.

use std::collections::{HashMap, HashSet};

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub id: String,
    /// The record, which is the key of its deliveries.
    pub record: i64,
    pub revision: i64,
    /// Transaction and position.
    pub offset: (i64, i64),
}

/// What an operator has done so far, and what follows from it.
#[derive(Debug, Default)]
pub struct Model {
    skipped: HashSet<String>,
}

impl Model {
    /// An operator has skipped the delivery of an event.
    pub fn skip(&mut self, event: &str) {
        self.skipped.insert(event.to_owned());
    }

    /// Checks what the handler has seen so far, in this order.
    ///
    /// # Errors
    ///
    /// An event that is not in the log or was skipped, an event that was seen twice, or an event that was seen before an
    /// earlier one of its record.
    pub fn check(&self, log: &[Committed], seen: &[String]) -> Result<(), String> {
        let events: HashMap<&str, &Committed> = log.iter().map(|event| (event.id.as_str(), event)).collect();
        let mut before: HashSet<&str> = HashSet::new();
        for id in seen {
            let Some(event) = events.get(id.as_str()) else {
                return Err(format!("{id} was handled and is not in the log"));
            };
            if self.skipped.contains(id) {
                return Err(format!("{event:?} was handled and skipped"));
            }
            let missed = log.iter().find(|earlier| {
                earlier.record == event.record
                    && earlier.revision < event.revision
                    && !before.contains(earlier.id.as_str())
                    && !self.skipped.contains(&earlier.id)
            });
            if let Some(missed) = missed {
                return Err(format!("{event:?} was handled before {missed:?}"));
            }
            if !before.insert(id) {
                return Err(format!("{event:?} was handled twice"));
            }
        }
        Ok(())
    }

    /// Checks what the handler has seen when there is nothing left to do.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), or an event that was neither seen nor skipped.
    pub fn check_all(&self, log: &[Committed], seen: &[String]) -> Result<(), String> {
        self.check(log, seen)?;
        let seen: HashSet<&String> = seen.iter().collect();
        let missed = log.iter().find(|event| !seen.contains(&event.id) && !self.skipped.contains(&event.id));
        missed.map_or(Ok(()), |missed| Err(format!("{missed:?} was never handled")))
    }
}
