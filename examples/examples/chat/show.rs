//! Printing messages and histories.

use std::io::{self, Write};

use crate::model::Message;

/// What happens next.
pub fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}")
}

/// A message in one line.
pub fn message(out: &mut impl Write, message: &Message) -> io::Result<()> {
    let edited = if message.edited { "  (edited)" } else { "" };
    writeln!(out, "  {}  {}: {}{edited}", message.posted_at.format("%H:%M"), message.author, message.text)
}
