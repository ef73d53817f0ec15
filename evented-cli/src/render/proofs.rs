//! Renders proofs, and the result of checking one.

use crate::answer::Answer;
use crate::commands::prove::{Checked, Proof};
use crate::screen::{Screen, plain};

/// A proof is JSON for people, too: it is made to be handed on.
impl Answer for Proof {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Answer for Checked {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        plain(&self.message).to_string()
    }

    fn is_well(&self) -> bool {
        self.holds
    }
}
