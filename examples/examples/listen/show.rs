//! Formats a change in one line.

use evented_feed::{Change, ChangeKind};

use crate::model::Item;

/// Formats the actor, the action, and the meaning of the change for the subscriber.
pub fn change(change: &Change<Item>) -> anyhow::Result<String> {
    let who = change.actor().unwrap_or_else(|| "?".to_owned());
    let action = change.action().unwrap_or("?");
    let what = match change.kind() {
        ChangeKind::Insert => format!("is new: {}", item(change.after())),
        // The fields that differ, with their old and new values.
        ChangeKind::Update => format!("was changed: {}", change.changeset()?),
        ChangeKind::Delete => format!("is gone: {}", item(change.before())),
        // The item existed before, outside this scope: the subscriber does not receive its old state.
        ChangeKind::Enter => format!("came in: {}", item(change.after())),
        // The item is outside this scope now: the subscriber does not receive its new state.
        ChangeKind::Leave => format!("left: {}", item(change.before())),
        other => format!("{other:?}"),
    };
    Ok(format!("{who:<4} {action:<9} {what}"))
}

fn item(item: Option<&Item>) -> String {
    item.map(|item| format!("{}, {} €", item.name, item.price)).unwrap_or_default()
}
