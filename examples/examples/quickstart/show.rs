//! Prints a row and a history.

use std::io::IsTerminal;

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use evented_diesel::Entry;

use crate::model::Item;

/// Prints a heading for the next step.
pub fn heading(text: &str) {
    // Bold on a terminal, plain in a file.
    let (bold, plain) = if std::io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{bold}{text}{plain}");
}

/// Prints a row in one line.
pub fn row(item: &Item) {
    let put_away = match item.archived_at {
        Some(at) => format!("put away on {}", at.format("%a %d %b")),
        None => "in the shop".to_owned(),
    };
    println!("  {:<12} {:>4} €   {put_away}", item.name, item.price);
}

/// Prints a history as a table: the actor, the time and the changes.
pub fn history(entries: &[Entry<Item>]) {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["#", "when", "who", "action", "what changed"]);
    for entry in entries {
        let changes: Vec<String> = entry
            .changeset
            .iter()
            .map(|change| format!("{}: {} → {}", change.field, change.from, change.to))
            .collect();
        table.add_row([
            entry.event.revision().to_string(),
            entry.event.at().format("%a %d %b %H:%M").to_string(),
            entry.event.actor().unwrap_or_else(|| "?".to_owned()),
            entry.event.action().to_owned(),
            changes.join("\n"),
        ]);
    }
    println!("{table}");
}
