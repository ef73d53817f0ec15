//! Renders the results of maintenance on tables and logs.

use crate::answer::Answer;
use crate::commands::{adopt, backfill, checkpoint, rebuild};
use crate::screen::{Screen, count, key, plain};

impl Answer for checkpoint::Made {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        match &self.checkpoint {
            None => format!("{}: no event since the last checkpoint", self.log),
            Some(made) => format!(
                "{}: checkpoint {} over {}, root {}",
                self.log,
                made.number,
                count(made.size, "event", "events"),
                made.root
            ),
        }
    }
}

impl Answer for rebuild::Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        let Self { schema, inserted, updated, removed } = self;
        if inserted + updated + removed == 0 {
            return format!("{schema}: every row was what its log says");
        }
        let inserted = count(*inserted, "row", "rows");
        format!("{schema}: {inserted} inserted, {updated} updated, {removed} removed")
    }
}

/// Adds a table of the records that were skipped, if there are any, before the last line.
fn after_skipped(screen: &Screen, skipped: &[backfill::Skipped], last: String) -> String {
    if skipped.is_empty() {
        return last;
    }
    let rows = skipped.iter().map(|row| [key(&row.record), plain(&row.message)]);
    format!("{}\n{last}", screen.table(["record", "skipped, because"], rows))
}

impl Answer for adopt::Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        let Self { schema, new, changed, gone, skipped } = self;
        let done = if new + changed + gone == 0 && skipped.is_empty() {
            format!("{schema}: every row is what its log says")
        } else {
            let changed = count(*changed, "changed row", "changed rows");
            format!("{schema}: recorded {changed}, {new} new, {gone} gone")
        };
        after_skipped(screen, skipped, done)
    }

    fn is_well(&self) -> bool {
        self.skipped.is_empty()
    }
}

impl Answer for backfill::Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        let done =
            format!("{}: {}", self.schema, count(self.records, "row got an event", "rows got an event"));
        if self.skipped.is_empty() && self.records == 0 {
            return format!("{}: every row has an event", self.schema);
        }
        after_skipped(screen, &self.skipped, done)
    }

    fn is_well(&self) -> bool {
        self.skipped.is_empty()
    }
}
