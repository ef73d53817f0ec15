//! Finds the text of a break in the sources, and replaces it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

/// One replacement in one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replacement {
    /// The file's path, relative to the root of the workspace.
    pub(super) file: String,
    /// The text to replace. The file must contain it exactly once, byte for byte.
    pub(super) find: String,
    /// The replacement text.
    pub(super) with: String,
}

/// Why a replacement cannot be applied.
#[derive(Debug)]
pub(super) struct Problem {
    file: String,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Unreadable(io::Error),
    Empty,
    Unchanged { find: String },
    Occurs { find: String, times: usize },
    Overlaps { find: String },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        match &self.fault {
            Fault::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Fault::Empty => f.write_str("`find` is empty"),
            Fault::Unchanged { find } => write!(f, "`with` is the same as `find`: {}", first_line(find)),
            Fault::Occurs { find, times } => {
                write!(f, "the text occurs {times} times instead of once: {}", first_line(find))
            }
            Fault::Overlaps { find } => {
                write!(f, "the text overlaps with that of another replacement: {}", first_line(find))
            }
        }
    }
}

/// The first line of a text, to identify it in a message.
fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let more = if text.trim() == line { "" } else { " …" };
    format!("{line:?}{more}")
}

/// The files under `root` that `replacements` change, with their new texts; or all problems.
pub(super) fn replaced<'a>(
    root: &Path,
    replacements: &'a [Replacement],
) -> Result<BTreeMap<&'a str, String>, Vec<Problem>> {
    let mut by_file: BTreeMap<&str, Vec<&Replacement>> = BTreeMap::new();
    for replacement in replacements {
        by_file.entry(&replacement.file).or_default().push(replacement);
    }
    let mut texts = BTreeMap::new();
    let mut problems = Vec::new();
    for (file, replacements) in by_file {
        let read = fs::read_to_string(root.join(file)).map_err(|error| vec![Fault::Unreadable(error)]);
        match read.and_then(|text| replace(&text, &replacements)) {
            Ok(text) => drop(texts.insert(file, text)),
            Err(faults) => {
                problems.extend(faults.into_iter().map(|fault| Problem { file: file.to_owned(), fault }));
            }
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

/// Applies each of `replacements` to `text`.
///
/// Every `find` is searched in the original text, so the order of the replacements does not matter.
fn replace(text: &str, replacements: &[&Replacement]) -> Result<String, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut ranges: Vec<(Range<usize>, &Replacement)> = Vec::new();
    for replacement in replacements {
        match range(text, replacement) {
            Ok(range) => ranges.push((range, replacement)),
            Err(fault) => faults.push(fault),
        }
    }
    ranges.sort_by_key(|(range, _)| range.start);
    let mut result = String::with_capacity(text.len());
    let mut end = 0;
    for (range, replacement) in ranges {
        // `get` returns `None` if the previous replacement reaches beyond the start of this one.
        let Some(kept) = text.get(end..range.start) else {
            faults.push(Fault::Overlaps { find: replacement.find.clone() });
            continue;
        };
        result.push_str(kept);
        result.push_str(&replacement.with);
        end = range.end;
    }
    result.push_str(text.get(end..).unwrap_or_default());
    if faults.is_empty() { Ok(result) } else { Err(faults) }
}

/// The range of the text to replace, which must occur once.
fn range(text: &str, replacement: &Replacement) -> Result<Range<usize>, Fault> {
    let find = &replacement.find;
    if find.is_empty() {
        return Err(Fault::Empty);
    }
    if *find == replacement.with {
        return Err(Fault::Unchanged { find: find.clone() });
    }
    match starts(text, find)[..] {
        [start] => Ok(start..start + find.len()),
        ref starts => Err(Fault::Occurs { find: find.clone(), times: starts.len() }),
    }
}

/// The offsets at which `find` starts in `text`. Overlapping occurrences count too, because either could be meant.
fn starts(text: &str, find: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).filter(|at| text[*at..].starts_with(find)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(find: &str, with: &str) -> Replacement {
        Replacement { file: "a.rs".to_owned(), find: find.to_owned(), with: with.to_owned() }
    }

    fn replace_one(text: &str, find: &str, with: &str) -> Result<String, Vec<Fault>> {
        replace(text, &[&change(find, with)])
    }

    fn error_of(text: &str, changes: &[&Replacement]) -> String {
        let faults = replace(text, changes).unwrap_err().into_iter();
        let problems = faults.map(|fault| Problem { file: "a.rs".to_owned(), fault }.to_string());
        problems.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_text_that_occurs_once_is_replaced() {
        assert_eq!(
            replace_one("let a = 1;\nlet b = 1;\n", "a = 1", "a = 2").unwrap(),
            "let a = 2;\nlet b = 1;\n"
        );
        assert_eq!(replace_one("a\nb\nc\n", "b\n", "").unwrap(), "a\nc\n");
        assert_eq!(replace_one("ä\nö\nü\n", "ö", "o").unwrap(), "ä\no\nü\n");
    }

    #[test]
    fn a_text_that_occurs_not_once_is_refused() {
        let change = change("b\nc", "d");
        assert_eq!(error_of("a\n", &[&change]), "a.rs: the text occurs 0 times instead of once: \"b\" …");
        assert_eq!(
            error_of("b\ncb\nc", &[&change]),
            "a.rs: the text occurs 2 times instead of once: \"b\" …"
        );
    }

    #[test]
    fn occurrences_that_overlap_are_counted() {
        let faults = replace_one("}\n}\n}\n", "}\n}\n", "").unwrap_err();
        assert!(matches!(faults[..], [Fault::Occurs { times: 2, .. }]));
    }

    #[test]
    fn a_text_at_the_start_or_the_end_of_a_file_is_replaced() {
        assert_eq!(replace_one("a b c", "a", "x").unwrap(), "x b c");
        assert_eq!(replace_one("a b c", "c", "x").unwrap(), "a b x");
        assert_eq!(replace_one("a b c", "a b c", "").unwrap(), "");
    }

    #[test]
    fn the_ends_of_lines_stay_as_they_are() {
        assert_eq!(replace_one("a\r\nb\r\nc\n", "b", "x").unwrap(), "a\r\nx\r\nc\n");
        assert!(replace_one("a\r\nb\r\n", "a\nb", "x").is_err());
    }

    #[test]
    fn several_replacements_are_made_in_any_order() {
        let (first, second) = (change("a", "b"), change("b", "a"));
        assert_eq!(replace("a b", &[&first, &second]).unwrap(), "b a");
        assert_eq!(replace("a b", &[&second, &first]).unwrap(), "b a");
    }

    #[test]
    fn replacements_that_overlap_are_refused() {
        let overlap = "a.rs: the text overlaps with that of another replacement: \"bc\"";
        assert_eq!(error_of("abc", &[&change("bc", "x"), &change("ab", "x")]), overlap);
        assert!(replace("abcd", &[&change("ab", "x"), &change("cd", "y")]).is_ok());
    }

    #[test]
    fn a_replacement_that_changes_nothing_is_refused() {
        assert_eq!(error_of("a", &[&change("a", "a")]), "a.rs: `with` is the same as `find`: \"a\"");
        assert_eq!(error_of("a", &[&change("", "a")]), "a.rs: `find` is empty");
    }

    #[test]
    fn files_are_read_and_their_problems_gathered() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.rs"), "a").unwrap();
        let mut changes = vec![change("a", "b")];
        assert_eq!(replaced(dir.path(), &changes).unwrap(), BTreeMap::from([("a.rs", "b".to_owned())]));
        changes.push(change("c", "b"));
        changes.push(Replacement { file: "gone.rs".to_owned(), ..change("a", "b") });
        let problems = replaced(dir.path(), &changes).unwrap_err();
        let [missing, gone] = &problems[..] else { panic!("{problems:?}") };
        assert!(missing.to_string().starts_with("a.rs: the text occurs 0 times"));
        assert!(gone.to_string().starts_with("gone.rs: cannot be read: "));
    }
}
