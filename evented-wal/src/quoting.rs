//! Quotes names and strings in SQL.

/// Quotes an identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a string literal.
pub(crate) fn literal(text: &str) -> String {
    // A backslash is an ordinary character only if `standard_conforming_strings` is on. With `E` its meaning is
    // always the same.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
