//! Prints a message of the log in one or two lines.

use std::io::{self, Write};

use evented_wal::{Message, Old, Relation, Seen};

/// Prints a message. Most messages are changes of rows.
pub fn message(message: &Message, out: &mut impl Write) -> io::Result<()> {
    match message {
        Message::Begin { xid, at, .. } => {
            writeln!(out, "transaction {xid}, committed at {}", at.format("%H:%M:%S"))
        }
        Message::Insert { relation, new } => {
            writeln!(out, "  insert {relation}\n    is  {}", new.show(relation))
        }
        Message::Update { relation, old, new } => {
            writeln!(out, "  update {relation}")?;
            // Without whole old rows, the log contains the old key only if the key changed.
            if let Some(old) = old {
                writeln!(out, "    was {}", before(old, relation))?;
            }
            writeln!(out, "    is  {}", new.show(relation))
        }
        Message::Delete { relation, old } => {
            writeln!(out, "  delete {relation}\n    was {}", before(old, relation))
        }
        Message::Truncate { relations, .. } => {
            relations.iter().try_for_each(|relation| writeln!(out, "  truncate {relation}"))
        }
        Message::Relation { relation, seen: Seen::Changed { .. } } => {
            let columns: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
            writeln!(out, "  columns of {relation}: {}", columns.join(", "))
        }
        Message::Logical { prefix, content, .. } => {
            writeln!(out, "  message {prefix}: {}", String::from_utf8_lossy(content))
        }
        // Each transaction begins with a line, so that the next line also shows that this one has ended.
        _ => Ok(()),
    }
}

/// Formats an old row, as far as the log contains it.
fn before(old: &Old, relation: &Relation) -> String {
    match old {
        Old::Full(row) => row.show(relation).to_string(),
        // The log contains null for the other columns, whatever their values were.
        Old::Key(row) => {
            let cells = relation.columns.iter().zip(row.cells()).filter(|(column, _)| column.key);
            let cells: Vec<String> = cells.map(|(column, cell)| format!("{}: {cell}", column.name)).collect();
            cells.join(", ")
        }
    }
}
