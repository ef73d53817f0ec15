//! Renders records: their events, their states and their differences.

use evented_core::Changeset;

use crate::answer::Answer;
use crate::commands::diff::Diff;
use crate::commands::log::{Log, LoggedEvent};
use crate::commands::show::{Shown, Standing};
use crate::screen::{Screen, key, plain, time, value};

impl Answer for Log {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        let rows = self.events.iter().map(|event| {
            [
                event.revision.to_string(),
                time(event.at),
                event.actor.as_deref().map(plain).unwrap_or_default(),
                plain(&event.action),
                what(event),
            ]
        });
        screen.table(["#", "when (UTC)", "who", "action", "what changed"], rows)
    }

    fn is_well(&self) -> bool {
        self.events.iter().all(|event| event.changes.is_some())
    }
}

fn what(event: &LoggedEvent) -> String {
    match (&event.changes, &event.fault) {
        (Some(changes), _) => lines(changes),
        (None, Some(fault)) => {
            format!("cannot be replayed: {}\npayload: {}", plain(fault), plain(event.payload.as_str()))
        }
        (None, None) => format!("payload: {}", plain(event.payload.as_str())),
    }
}

fn lines(changes: &Changeset) -> String {
    let lines = changes
        .iter()
        .map(|change| format!("{}: {} → {}", plain(change.field), value(&change.from), value(&change.to)));
    lines.collect::<Vec<_>>().join("\n")
}

impl Answer for Shown {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        let Self { schema, record, revision, state, deleted_at, fields } = self;
        let head = format!("{schema} {}, revision {revision}", key(record));
        if *state == Standing::Deleted {
            let at = deleted_at.map(time).unwrap_or_default();
            return format!("{head}: deleted at {at} UTC");
        }
        let fields = fields.iter().flat_map(|fields| &fields.0);
        let rows = fields.map(|(field, state)| [plain(field), value(state)]);
        format!("{head}\n{}", screen.table(["field", "value"], rows))
    }
}

impl Answer for Diff {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        if self.changes.is_empty() {
            return format!("revisions {} and {} do not differ", self.from, self.to);
        }
        let (from, to) = (format!("revision {}", self.from), format!("revision {}", self.to));
        let rows = self.changes.iter().map(|it| [plain(it.field), value(&it.from), value(&it.to)]);
        screen.table(["field", &from, &to], rows)
    }
}
