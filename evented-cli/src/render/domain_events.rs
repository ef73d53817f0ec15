//! Renders the results of commands on domain events.

use crate::answer::Answer;
use crate::commands::{prune, publish};
use crate::screen::{Screen, count, harmless};

impl Answer for prune::Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        let removed = count(self.removed as u64, "event", "events");
        let held = self.held_by.as_deref().map(|subscriber| {
            format!("; the subscriber {} has not handled all older events", harmless(subscriber))
        });
        format!("{}: {removed} removed{}", self.bus, held.unwrap_or_default())
    }

    fn is_well(&self) -> bool {
        self.held_by.is_none()
    }
}

impl Answer for publish::Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        let Self { event, id, duplicate } = self;
        if *duplicate {
            return format!("{event}: a duplicate of the event with the id {id}, nothing published");
        }
        format!("{event}: published with the id {id}")
    }
}
