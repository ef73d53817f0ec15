//! Renders durable subscribers, and what they have set aside.

use std::time::Duration;

use indicatif::HumanDuration;

use crate::answer::Answer;
use crate::commands::subscribers::{Done, MOST_LISTED};
use crate::screen::{Screen, count, harmless, plain};
use evented_react::{Lag, SetAside, SetAsideState, SubscriberStatus};

impl Answer for Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        match self {
            Self::Listed { subscribers } if subscribers.is_empty() => {
                "no subscriber is registered".to_owned()
            }
            Self::Listed { subscribers } => status_table(screen, subscribers),
            Self::Behind { subscriber, logs } if logs.is_empty() => {
                format!("{}: it reads no log", harmless(subscriber))
            }
            Self::Behind { logs, .. } => lag_table(screen, logs),
            Self::Aside { subscriber, set_aside, complete, dead } => {
                let listed = match (set_aside.is_empty(), dead) {
                    (false, _) => aside_table(screen, set_aside),
                    (true, true) => format!("{}: nothing is dead", harmless(subscriber)),
                    (true, false) => format!("{}: nothing is set aside", harmless(subscriber)),
                };
                if *complete { listed } else { format!("{listed}\n{}", may_be_more()) }
            }
            Self::Retried { subscriber, retried: 0 } | Self::Skipped { subscriber, skipped: 0 } => {
                format!("{}: there is no such delivery that failed", harmless(subscriber))
            }
            Self::Retried { subscriber, retried } => {
                let retried = count(*retried as u64, "delivery is tried again", "deliveries are tried again");
                format!("{}: {retried}", harmless(subscriber))
            }
            Self::Skipped { subscriber, skipped } => {
                let skipped = count(*skipped as u64, "delivery", "deliveries");
                format!("{}: {skipped} skipped", harmless(subscriber))
            }
            Self::Paused { subscriber, paused: true } => format!("{}: paused", harmless(subscriber)),
            Self::Paused { subscriber, paused: false } => format!("{}: resumed", harmless(subscriber)),
            Self::Resized { subscriber, parts } => {
                format!("{}: {}", harmless(subscriber), count((*parts).into(), "part", "parts"))
            }
            Self::Adopted { subscriber, skipped_pending, .. } => {
                let pending = if *skipped_pending { "; what was pending is skipped" } else { "" };
                format!("{}: runs in this database{pending}", harmless(subscriber))
            }
            Self::Unsubscribed { subscriber, .. } => format!("{}: removed", harmless(subscriber)),
        }
    }

    fn is_well(&self) -> bool {
        match self {
            Self::Listed { subscribers } => {
                subscribers.iter().all(|subscriber| subscriber.stalled.is_none() && subscriber.dead == 0)
            }
            _ => true,
        }
    }
}

fn may_be_more() -> String {
    format!("these are from the first {MOST_LISTED} deliveries that are set aside; there may be more")
}

fn status_table(screen: &Screen, subscribers: &[SubscriberStatus]) -> String {
    let header = ["name", "version", "parts", "paused", "stalled", "live workers", "set aside", "dead"];
    let rows = subscribers.iter().map(|subscriber| {
        [
            plain(&subscriber.name),
            subscriber.version.to_string(),
            subscriber.parts.to_string(),
            if subscriber.paused { "yes" } else { "no" }.to_owned(),
            subscriber.stalled.as_deref().map_or_else(|| "no".to_owned(), plain),
            subscriber.workers.len().to_string(),
            subscriber.set_aside.to_string(),
            subscriber.dead.to_string(),
        ]
    });
    screen.table(header, rows)
}

fn lag_table(screen: &Screen, logs: &[Lag]) -> String {
    let rows = logs.iter().map(|lag| {
        let oldest = if lag.events == 0 { String::new() } else { span(lag.oldest_ms) };
        [plain(&lag.log), lag.events.to_string(), oldest]
    });
    screen.table(["log", "events behind", "age of the oldest"], rows)
}

fn aside_table(screen: &Screen, deliveries: &[SetAside]) -> String {
    let rows = deliveries.iter().map(|delivery| {
        [
            delivery.id.to_string(),
            plain(&delivery.key),
            state_text(delivery.state),
            delivery.attempts.to_string(),
            delivery.error.as_deref().map(plain).unwrap_or_default(),
            delivery.retry_in_ms.map(next_attempt).unwrap_or_default(),
        ]
    });
    screen.table(["id", "key", "state", "attempts", "error", "next attempt"], rows)
}

fn state_text(state: SetAsideState) -> String {
    match state {
        SetAsideState::Retry => "retry".to_owned(),
        SetAsideState::Behind => "behind".to_owned(),
        SetAsideState::Dead => "dead".to_owned(),
        SetAsideState::PassedOver => "passed over".to_owned(),
        SetAsideState::Unreadable => "unreadable".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Formats the time until the next attempt; a delivery that is due waits only for a worker.
fn next_attempt(millis: i64) -> String {
    match u64::try_from(millis) {
        Ok(millis @ 1..) => format!("in {}", span(millis)),
        _ => "now".to_owned(),
    }
}

/// Formats a time span in its largest unit. JSON has the milliseconds.
fn span(millis: u64) -> String {
    HumanDuration(Duration::from_millis(millis)).to_string()
}
