//! Renders publications and slots.

use indicatif::HumanBytes;

use crate::answer::Answer;
use crate::commands::wal::{Done, SlotReport};
use crate::screen::{Screen, harmless};

impl Answer for Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, _: &Screen) -> String {
        match self {
            Self::Published { publication, added } if added.is_empty() => {
                format!("{}: every table was published", harmless(publication))
            }
            Self::Published { publication, added } => {
                format!("{}: published {}", harmless(publication), harmless(&added.join(", ")))
            }
            Self::Unpublished { publication, dropped: true } => format!("{}: removed", harmless(publication)),
            Self::Unpublished { publication, dropped: false } => {
                format!("there is no publication {}", harmless(publication))
            }
            Self::SlotMade { slot, at, new: true } => format!("{}: made at {at}", harmless(slot)),
            Self::SlotMade { slot, at, new: false } => format!("{}: was there, at {at}", harmless(slot)),
            Self::SlotDropped { slot, dropped: true } => format!("{}: removed", harmless(slot)),
            Self::SlotDropped { slot, dropped: false } | Self::Slot { slot, status: None } => {
                format!("there is no slot {}", harmless(slot))
            }
            Self::Slot { slot, status: Some(status) } => {
                format!("{}: {}", harmless(slot), status_text(status))
            }
            Self::Checked { publication, problems } if problems.is_empty() => {
                format!("{}: all is there", harmless(publication))
            }
            Self::Checked { problems, .. } => {
                problems.iter().map(|problem| harmless(problem)).collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn is_well(&self) -> bool {
        match self {
            Self::Slot { status, .. } => status.as_ref().is_some_and(SlotReport::is_well),
            Self::Checked { problems, .. } => problems.is_empty(),
            _ => true,
        }
    }
}

fn status_text(status: &SlotReport) -> String {
    let bytes = |amount: Option<i64>| {
        amount.map_or_else(|| "?".to_owned(), |it| HumanBytes(it.max(0).cast_unsigned()).to_string())
    };
    if status.health == "lost" {
        return "lost: drop it, create it again, and read the tables again".to_owned();
    }
    let read = if status.active { "read" } else { "not read" };
    let (lag, retained) = (bytes(status.lag), bytes(status.retained));
    let mut text = format!("{read}, {lag} behind, {retained} of the log kept for it, {}", status.health);
    if status.safe.is_some() {
        text.push_str(&format!("; may be lost after {} more", bytes(status.safe)));
    }
    text
}
