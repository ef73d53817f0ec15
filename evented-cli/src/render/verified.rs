//! Renders the findings of checks.

use crate::answer::Answer;
use crate::commands::rebuild::Differences;
use crate::commands::verify::{Check, Found, Verified};
use crate::failure::Failure;
use crate::screen::{Screen, count, key, plain};

impl Answer for Verified {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        let mut parts = Vec::new();
        if !self.findings.is_empty() {
            parts.push(table(screen, &self.findings));
        }
        parts.extend(self.checks.iter().map(|check| line(check, &self.findings)));
        if self.checks.is_empty() && self.failures.is_empty() {
            parts.push("there is nothing to check".to_owned());
        }
        parts.join("\n")
    }

    fn is_well(&self) -> bool {
        self.findings.is_empty()
    }

    fn failures(&self) -> &[Failure] {
        &self.failures
    }
}

impl Answer for Differences {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        if self.findings.is_empty() {
            format!("{}: every row is what its log says", self.schema)
        } else {
            table(screen, &self.findings)
        }
    }

    fn is_well(&self) -> bool {
        self.findings.is_empty()
    }
}

fn table(screen: &Screen, findings: &[Found]) -> String {
    let rows = findings.iter().map(|found| {
        let location = match (found.revision, found.checkpoint) {
            (Some(revision), _) => format!("revision {revision}"),
            (None, Some(checkpoint)) => format!("checkpoint {checkpoint}"),
            (None, None) => String::new(),
        };
        let record = found.record.as_ref().map(key).unwrap_or_default();
        [found.check.to_owned(), plain(&found.of), record, location, plain(&found.message)]
    });
    screen.table(["check", "of", "record", "at", "finding"], rows)
}

fn line(check: &Check, findings: &[Found]) -> String {
    let seen = match check.check {
        "checkpoints" => {
            let later = match check.later.unwrap_or(0) {
                0 => String::new(),
                later => format!(", {} after the last one", count(later, "event", "events")),
            };
            count(check.seen, "checkpoint", "checkpoints") + &later
        }
        "table" => count(check.seen, "row and event", "rows and events"),
        _ => count(check.seen, "event", "events"),
    };
    let of_it =
        |found: &&Found| found.check == check.check && (found.of == check.of || check.check == "chain");
    let found = match findings.iter().filter(of_it).count() {
        0 => "well".to_owned(),
        found => count(found as u64, "finding", "findings"),
    };
    format!("{} of {}: {seen}, {found}", check.check, plain(&check.of))
}
