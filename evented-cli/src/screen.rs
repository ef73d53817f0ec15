//! The terminal: tables, and text from the data made harmless.

use std::io::IsTerminal;

use chrono::{DateTime, Utc};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table, TableComponent};
use evented_core::KeyValue;

/// The output that the text is shown on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Screen {
    /// The width in columns; `None` for a file or a pipe, where lines are not limited.
    width: Option<u16>,
}

impl Screen {
    /// Returns the screen of standard output.
    pub(crate) fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        Self { width: console::Term::stdout().size_checked().map(|(_, columns)| columns) }
    }

    /// Renders a table. A cell can have several lines; its text must have passed through `plain`.
    pub(crate) fn table<const N: usize>(
        &self,
        header: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(header);
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        let rows: Vec<_> = rows.into_iter().collect();
        if !rows.iter().flatten().any(|cell| cell.contains('\n')) {
            for part in BETWEEN_ROWS {
                table.remove_style(part);
            }
        }
        table.add_rows(rows);
        table.trim_fmt()
    }
}

/// The lines that separate rows with several lines.
const BETWEEN_ROWS: [TableComponent; 4] = [
    TableComponent::HorizontalLines,
    TableComponent::LeftBorderIntersections,
    TableComponent::MiddleIntersections,
    TableComponent::RightBorderIntersections,
];

/// How many characters of a value a table shows. `--json` shows the whole value.
const SHOWN: usize = 400;

/// Returns text from the data as a table shows it: harmless, and cut to `SHOWN` characters.
pub(crate) fn plain(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => harmless(text.get(..end).unwrap_or_default()) + "…",
        None => harmless(text),
    }
}

/// Returns text that cannot move the cursor, colour the screen, break a line or change the direction of writing.
pub(crate) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => harmless.push_str("\\n"),
            '\r' => harmless.push_str("\\r"),
            '\t' => harmless.push_str("\\t"),
            letter if letter.is_control() || turns(letter) => harmless.extend(letter.escape_unicode()),
            letter => harmless.push(letter),
        }
    }
    harmless
}

/// Whether a character is invisible and changes how other characters are shown.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

/// Returns a JSON value in one line.
pub(crate) fn value(value: &serde_json::Value) -> String {
    plain(&value.to_string())
}

/// Returns the key of a record, cut like other text from the data.
pub(crate) fn key(key: &KeyValue) -> String {
    plain(&key.to_string())
}

/// Formats a time to the second. JSON has the full precision.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Formats a count: `1 row`, `2 rows`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_speak_to_the_terminal() {
        assert_eq!(plain("a\n\tb\r\u{1b}[2J\u{7f}\u{9b}31m"), r"a\n\tb\r\u{1b}[2J\u{7f}\u{9b}31m");
        assert_eq!(plain("user\u{202e}nimda"), r"user\u{202e}nimda");
        assert_eq!(plain("Æther 🦀 日本語 e\u{301}"), "Æther 🦀 日本語 e\u{301}");
        assert_eq!(plain(&"x".repeat(5_000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn a_table_of_anything_fits_any_screen() {
        let cells = [
            "",
            "日本語 🦀🦀🦀",
            "e\u{301}\u{301}\u{301}\u{301}",
            "👩‍👩‍👧‍👦👩‍👩‍👧‍👦",
            "a very long word: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "x\ny\n\nz",
        ];
        for width in (0..60).map(Some).chain([None, Some(u16::MAX)]) {
            let screen = Screen { width };
            for cell in cells {
                let row = || [plain(cell), cell.to_owned(), plain(cell), "1".to_owned()];
                let table = screen.table(["日", "", "c", "d"], [row(), row()]);
                assert!(table.lines().count() >= 4, "{table}");
            }
            assert!(!screen.table::<2>(["a", "b"], []).is_empty());
        }
    }
}
