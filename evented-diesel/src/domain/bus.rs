//! Buses: the tables of domain events.

use crate::sql::{LogName, fitted};

/// A table of domain events. `#[derive(Bus)]` on a unit struct implements it.
///
/// [`DomainEvents`] is the bus of every event that names no other one. A bus of one's own separates events that other programs
/// read, or that are kept for another time.
pub trait Bus: Send + Sync + 'static {
    /// The name of the table.
    const TABLE: &'static str;

    /// Returns the name of the table.
    #[doc(hidden)]
    #[must_use]
    fn name() -> LogName {
        LogName { schema: None, table: Self::TABLE }
    }
}

/// Returns the name of the table of the events of a bus that are not due yet.
pub(crate) fn delayed_table(bus: &str) -> String {
    fitted(format!("{bus}_delayed"))
}

/// The bus of the events that name no other one: the table `domain_events`.
#[derive(Debug, Clone, Copy)]
pub struct DomainEvents;

impl Bus for DomainEvents {
    const TABLE: &'static str = "domain_events";
}
