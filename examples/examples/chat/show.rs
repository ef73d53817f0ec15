//! Prints messages and histories.

use std::io::{self, Write};

use crate::model::Message;

/// Prints a heading for the next step.
pub fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}")
}

/// Prints a message in one line.
pub fn message(out: &mut impl Write, message: &Message) -> io::Result<()> {
    let edited = if message.edited { "  (edited)" } else { "" };
    writeln!(out, "  {}  {}: {}{edited}", message.posted_at.format("%H:%M"), message.author, message.text)
}
