//! Renders the results of commands on derived tables.

use crate::answer::Answer;
use crate::commands::projections::{Rebuilt, Verified};
use crate::screen::{Screen, count, harmless, plain};
use evented_react::DifferenceKind;

impl Answer for Rebuilt {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        let name = harmless(&self.projection);
        if self.written + self.deleted == 0 {
            return format!("{name}: every row was what its SELECT returns");
        }
        format!("{name}: {} written, {} deleted", count(self.written as u64, "row", "rows"), self.deleted)
    }
}

impl Answer for Verified {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        let name = harmless(&self.projection);
        let events = match self.unhandled {
            Some(events) => format!("{} not handled yet", count(events, "event", "events")),
            None => "and it is not registered: no worker has served it".to_owned(),
        };
        if self.rows.is_empty() {
            return format!("{name}: every row is what its SELECT returns, {events}");
        }
        let at_least = if self.complete { "" } else { "at least " };
        let differ = count(self.rows.len() as u64, "row differs", "rows differ");
        let because = if self.unhandled.unwrap_or(0) == 0 { "" } else { "; rows may differ because of them" };
        format!("{}\n{name}: {at_least}{differ}, {events}{because}", self.table(screen))
    }

    fn is_well(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Verified {
    fn table(&self, screen: &Screen) -> String {
        let rows = self.rows.iter().map(|row| [plain(&row.key), kind_text(row.kind)]);
        screen.table(["key", "row"], rows)
    }
}

fn kind_text(kind: DifferenceKind) -> String {
    match kind {
        DifferenceKind::Missing => "missing".to_owned(),
        DifferenceKind::Differs => "differs".to_owned(),
        DifferenceKind::Extra => "extra".to_owned(),
        other => format!("{other:?}"),
    }
}
