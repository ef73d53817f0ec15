//! The files of `tests/break`. Each one breaks an invariant of the library.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use serde::Deserialize;

use super::replace::Replacement;

/// The directory of the breaks, relative to the root of the workspace.
pub(super) const DIRECTORY: &str = "tests/break";

/// One way to break the library.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Break {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub(super) name: String,
    /// The invariant that does not hold with the break.
    pub(super) invariant: String,
    /// The test that must fail.
    pub(super) test: Test,
    /// The changes of the sources.
    #[serde(rename = "replace")]
    pub(super) replacements: Vec<Replacement>,
}

/// A selection of tests of one program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Test {
    /// The test program, or a package of a library for its unit tests. Only this is built.
    pub(super) program: String,
    /// The part of the tests' names that selects them.
    pub(super) filter: String,
}

impl TryFrom<String> for Test {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            [program, filter] => Ok(Self { program: program.to_owned(), filter: filter.to_owned() }),
            _ => Err("`test` is the name of a test program, a space, and a part of a test's name"),
        }
    }
}

impl Test {
    /// Whether the program is a package, whose unit tests are meant: `evented-feed`, for example.
    pub(super) fn is_package(program: &str) -> bool {
        program.contains('-')
    }

    /// The package of a test program.
    pub(super) fn package(program: &str) -> &'static str {
        match program {
            "adoption" => "evented-adoption-tests",
            "kills" | "react" => "evented-react-tests",
            "live" => "evented-live-tests",
            "live_law" => "evented-core",
            _ => "evented-tests",
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.filter)
    }
}

/// Selects files of the directory by name.
#[derive(Clone, Copy, Default)]
pub(super) struct Selection<'a> {
    /// Selects the names that contain this text. Default: all names.
    pub(super) name: Option<&'a str>,
    /// Selects this name and those that sort after it. Default: all names.
    pub(super) from: Option<&'a str>,
}

impl Selection<'_> {
    fn contains(&self, name: &str) -> bool {
        self.name.is_none_or(|part| name.contains(part)) && self.from.is_none_or(|first| name >= first)
    }
}

/// A file of the directory that has not been read yet.
pub(super) struct BreakFile {
    name: String,
    path: PathBuf,
}

impl BreakFile {
    /// Reads the break. An error names the file.
    pub(super) fn read(&self) -> Result<Break> {
        self.parse().with_context(|| self.to_string())
    }

    fn parse(&self) -> Result<Break> {
        // If a file were skipped, its invariant would seem to be checked.
        ensure!(self.path.extension().is_some_and(|it| it == "toml"), "a break is a .toml file");
        parse(&self.name, &fs::read_to_string(&self.path)?)
    }
}

impl fmt::Display for BreakFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.path.file_name().unwrap_or_default();
        write!(f, "{DIRECTORY}/{}", file.display())
    }
}

/// The selected files of `tests/break` in the workspace at `root`, sorted by name.
pub(super) fn list(root: &Path, selection: Selection<'_>) -> Result<Vec<BreakFile>> {
    let directory = root.join(DIRECTORY);
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("cannot list {DIRECTORY}"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Editors store hidden files beside an open file.
        if !name.starts_with('.') && selection.contains(&name) {
            files.push(BreakFile { name, path });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if files.is_empty() {
        bail!("no such break in {DIRECTORY}");
    }
    Ok(files)
}

fn parse(name: &str, text: &str) -> Result<Break> {
    let parsed: Break = toml::from_str(text).map_err(|error| on_one_line(text, &error))?;
    ensure!(!parsed.invariant.trim().is_empty(), "`invariant` is empty");
    ensure!(!parsed.replacements.is_empty(), "no `[[replace]]`");
    Ok(Break { name: name.to_owned(), ..parsed })
}

/// The parser's error on one line. Its own message has several lines.
fn on_one_line(text: &str, error: &toml::de::Error) -> Error {
    let start = error.span().and_then(|span| text.get(..span.start));
    match start {
        Some(before) => anyhow!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => anyhow!("{}", error.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "invariant = \"2: what nobody recorded becomes an event\"\n\
                          test = \"suite adopt_records\"\n";

    fn error_of(text: &str) -> String {
        format!("{:#}", parse("x", text).unwrap_err())
    }

    #[test]
    fn a_break_is_read_with_all_its_fields() {
        let text = format!(
            "{HEADER}\n[[replace]]\nfile = \"a.rs\"\nfind = 'if x {{'\nwith = 'if true {{'\n\n\
             [[replace]]\nfile = \"b.rs\"\nfind = '''\n    one();\n'''\nwith = ''\n"
        );
        let read = parse("2-x", &text).unwrap();
        assert_eq!(read.name, "2-x");
        assert_eq!(read.invariant, "2: what nobody recorded becomes an event");
        assert_eq!(read.test, Test { program: "suite".to_owned(), filter: "adopt_records".to_owned() });
        let found: Vec<_> =
            read.replacements.iter().map(|it| (&it.file[..], &it.find[..], &it.with[..])).collect();
        assert_eq!(found, [("a.rs", "if x {", "if true {"), ("b.rs", "    one();\n", "")]);
    }

    #[test]
    fn a_text_is_what_toml_says_and_not_trimmed() {
        let replace = "[[replace]]\nfile = \"a.rs\"\nfind = '''\n\n  a\n  b'''\nwith = ' a '\n";
        let read = parse("x", &format!("{HEADER}{replace}")).unwrap();
        assert_eq!(read.replacements[0].find, "\n  a\n  b");
        assert_eq!(read.replacements[0].with, " a ");
    }

    #[test]
    fn a_field_that_is_missing_or_unknown_is_refused() {
        let replace = "[[replace]]\nfile = \"a.rs\"\nfind = 'a'\nwith = 'b'\n";
        assert!(error_of(HEADER).contains("replace"));
        assert!(error_of(&format!("replace = []\n{HEADER}")).contains("no `[[replace]]`"));
        assert!(error_of(&format!("{HEADER}{replace}wiht = 'c'\n")).contains("line 7: unknown field `wiht`"));
        assert!(error_of(&format!("test = \"suite a\"\n{replace}")).contains("invariant"));
        assert!(error_of(&format!("invariant = \" \"\ntest = \"suite a\"\n{replace}")).contains("empty"));
    }

    #[test]
    fn a_test_is_a_program_and_a_filter() {
        for text in ["", "suite", "suite a b"] {
            assert!(Test::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(Test::try_from("suite  drift::a".to_owned()).unwrap().to_string(), "suite drift::a");
    }

    #[test]
    fn a_selection_is_by_a_part_of_the_name_and_by_the_first_name() {
        let all = Selection::default();
        assert!(all.contains("1-a"));
        let named = Selection { name: Some("-a"), ..all };
        assert!(named.contains("1-a") && !named.contains("1-b"));
        let from = Selection { from: Some("10-b"), ..all };
        assert!(!from.contains("10-a") && from.contains("10-b") && from.contains("2-a"));
    }
}
