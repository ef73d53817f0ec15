//! A change in one line.

use evented_diesel::listen::{Change, ChangeKind};

use crate::model::Item;

/// Who, by which action, and what it is to the listener.
pub fn change(change: &Change<Item>) -> anyhow::Result<String> {
    let who = change.actor().unwrap_or_else(|| "?".to_owned());
    let action = change.action().unwrap_or("?");
    let what = match change.kind() {
        ChangeKind::Insert => format!("is new: {}", item(change.after())),
        // The fields that differ, with their old and new values.
        ChangeKind::Update => format!("was changed: {}", change.changes()?),
        ChangeKind::Delete => format!("is gone: {}", item(change.before())),
        // It was there before, but none of ours: what it was then is not told.
        ChangeKind::Enter => format!("came in: {}", item(change.after())),
        // And what it is now is none of ours any more.
        ChangeKind::Leave => format!("left: {}", item(change.before())),
        other => format!("{other:?}"),
    };
    Ok(format!("{who:<4} {action:<9} {what}"))
}

fn item(item: Option<&Item>) -> String {
    item.map(|item| format!("{}, {} €", item.name, item.price)).unwrap_or_default()
}
