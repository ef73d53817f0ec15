//! A message of the log in a line or two.

use std::io::{self, Write};

use evented_diesel::wal::{Message, Old, Relation, Seen};

/// Shows it. Most of them are changes of rows.
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
            // Without a whole old row it comes only if the key was changed.
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
        // Each transaction begins with a line; that it has ended is seen when the next one does.
        _ => Ok(()),
    }
}

/// A row as it was, as far as it is known.
fn before(old: &Old, relation: &Relation) -> String {
    match old {
        Old::Full(row) => row.show(relation).to_string(),
        // The other columns stand there as null, whatever they were.
        Old::Key(row) => {
            let cells = relation.columns.iter().zip(row.cells()).filter(|(column, _)| column.key);
            let cells: Vec<String> = cells.map(|(column, cell)| format!("{}: {cell}", column.name)).collect();
            cells.join(", ")
        }
    }
}
