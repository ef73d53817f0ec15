//! Adds the checks of a log to its type, as methods.

use crate::model::EventLog;
use crate::verify::chain::VerifyChain;

/// The checks of a hashed log: `Events::verify_chain()`. Every [`EventLog`] implements it, and the preludes import it.
pub trait LogChecks: EventLog {
    /// Checks the hashes of all events. See [`VerifyChain`].
    fn verify_chain() -> VerifyChain<Self> {
        VerifyChain::new()
    }
}

impl<L: EventLog> LogChecks for L {}
