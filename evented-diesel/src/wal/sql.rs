//! Names and texts within SQL.

/// An identifier in quotation marks.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotation marks.
pub(super) fn literal(text: &str) -> String {
    // A backslash means itself only if `standard_conforming_strings` is on; with `E` it means the same always.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
