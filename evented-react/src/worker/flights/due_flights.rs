//! The deliveries of a part that were set aside, and are tried again.

use std::sync::Arc;

use crate::failure::Failure;
use crate::item::Item;
use crate::key::OrderKey;
use crate::store::DeferredRow;
use crate::worker::flights::{Flights, Takeoff, Ticket};

/// A delivery that was set aside, and is tried again.
pub(crate) struct DueFlight<C> {
    pub(crate) row: DeferredRow,
    pub(crate) items: Vec<Arc<Item<C>>>,
    /// Those of the deliveries whose effects are had.
    pub(crate) to_run: Vec<Arc<Item<C>>>,
    /// How it ended; `None` while it runs or waits.
    pub(crate) result: Option<Result<(), Failure>>,
    pub(crate) is_running: bool,
}

impl<C> Flights<C> {
    /// Returns the next delivery that is tried again.
    pub(super) fn next_due(&mut self) -> Option<Takeoff<C>> {
        let is_begun = |due: &DueFlight<C>| due.is_running || due.result.is_some();
        let is_free = |key: &OrderKey| {
            !self.lined_up.contains_key(key)
                && !self.due.iter().any(|due| is_begun(due) && due.row.key == *key)
        };
        let index = self.due.iter().position(|due| !is_begun(due) && is_free(&due.row.key))?;
        let due = self.due.get_mut(index)?;
        due.is_running = true;
        let attempt = u32::try_from(due.row.attempts.saturating_add(1)).unwrap_or(u32::MAX);
        Some(Takeoff { ticket: Ticket::Due(due.row.number), items: due.to_run.clone(), attempt })
    }

    /// Takes the deliveries that are due, in the place of those that have not begun: an operator may have removed them.
    pub(crate) fn set_due(&mut self, due: Vec<DueFlight<C>>) {
        self.due.retain(|due| due.is_running || due.result.is_some());
        for due in due {
            if !self.begun_again().contains(&due.row.number) {
                // A new delivery of the key does not run beside it.
                if let Some(waiting) = &mut self.waiting {
                    waiting.insert(due.row.key.clone());
                }
                self.due.push(due);
            }
        }
    }

    /// Returns the numbers of the deliveries that were set aside and run, or have ended.
    pub(crate) fn begun_again(&self) -> Vec<i64> {
        let begun = self.due.iter().filter(|due| due.is_running || due.result.is_some());
        begun.map(|due| due.row.number).collect()
    }
}
