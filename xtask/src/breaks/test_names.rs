//! Finds the names of the tests in the sources, without building them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::file::Test;

/// The directory of the test programs, relative to the root of the workspace.
const DIRECTORY: &str = "tests/tests";

/// The test programs whose sources have been read so far.
pub(super) struct TestPrograms {
    root: PathBuf,
    read: BTreeMap<String, Option<Sources>>,
}

/// The sources of one test program.
#[derive(Default)]
struct Sources {
    /// The names of the test functions.
    tests: Vec<String>,
    /// Every word of the sources, to find the names of modules: a macro may create the modules.
    words: BTreeSet<String>,
}

impl TestPrograms {
    /// The test programs of the workspace at `root`.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), read: BTreeMap::new() }
    }

    /// The problem with the name of `test`; `None` if there is none.
    pub(super) fn problem(&mut self, test: &Test) -> Result<Option<String>> {
        if !self.read.contains_key(&test.program) {
            let sources = self.sources(&test.program)?;
            self.read.insert(test.program.clone(), sources);
        }
        Ok(match self.read.get(&test.program) {
            Some(Some(sources)) if sources.have(&test.filter) => None,
            Some(Some(_)) => {
                Some(format!("no test of {DIRECTORY}/{} contains {}", test.program, test.filter))
            }
            _ => Some(format!("there is no test program {DIRECTORY}/{}", test.program)),
        })
    }

    /// The sources of a program; `None` if it does not exist.
    fn sources(&self, program: &str) -> Result<Option<Sources>> {
        let programs = self.root.join(DIRECTORY);
        let (directory, file) = (programs.join(program), programs.join(format!("{program}.rs")));
        // `suite_blocking` is the file `suite/blocking.rs`, which uses the other files of its directory.
        let shared = program.split_once('_').and_then(|(directory, name)| {
            let directory = programs.join(directory);
            directory.join(format!("{name}.rs")).is_file().then_some(directory)
        });
        // Some programs are of a package of their own: `tests/adoption/tests/adoption`.
        let of_package = |package: &str| self.root.join(package).join("tests").join(program);
        let packages = ["tests/adoption", "tests/react", "tests/live", "evented-core"];
        let own = packages.into_iter().map(of_package).find(|own| own.join("main.rs").is_file());
        let mut sources = Sources::default();
        if Test::is_package(program) {
            let directory = self.root.join(program).join("src");
            if !directory.is_dir() {
                return Ok(None);
            }
            sources.add_directory(&directory)?;
        } else if directory.join("main.rs").is_file() {
            sources.add_directory(&directory)?;
        } else if let Some(own) = own {
            sources.add_directory(&own)?;
        } else if let Some(directory) = shared {
            sources.add_directory(&directory)?;
        } else if file.is_file() {
            sources.add_file(&file)?;
        } else {
            return Ok(None);
        }
        Ok(Some(sources))
    }
}

impl Sources {
    fn add_directory(&mut self, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.add_directory(&path)?;
            } else if path.extension().is_some_and(|it| it == "rs") {
                self.add_file(&path)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, file: &Path) -> Result<()> {
        self.add(&fs::read_to_string(file)?);
        Ok(())
    }

    fn add(&mut self, text: &str) {
        self.words.extend(words(text).map(String::from));
        let mut is_test = false;
        let mut last_macro = None;
        let mut macros = BTreeSet::new();
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("macro_rules! ") {
                last_macro = words(rest).next();
            } else if let Some(rest) = after_fn(line) {
                match words(rest).next() {
                    Some(name) if is_test && !rest.starts_with('$') => self.tests.push(name.to_owned()),
                    Some(_) if is_test => macros.extend(last_macro),
                    _ => {}
                }
                is_test = false;
            }
        }
        // A macro that creates tests gets their names as arguments. All of its arguments are taken as names.
        for call in macros.iter().map(|name| format!("{name}!")) {
            for (at, call) in text.match_indices(&call) {
                let rest = text.get(at + call.len()..).unwrap_or_default().trim_start();
                self.tests.extend(words(in_brackets(rest)).map(String::from));
            }
        }
    }

    /// Whether `filter`, a part of `module::function`, selects a test.
    fn have(&self, filter: &str) -> bool {
        let Some((modules, function)) = filter.rsplit_once("::") else {
            return self.tests.iter().any(|test| test.contains(filter));
        };
        // A filter may start in the middle of a name.
        let is_module = |part: &str| self.words.iter().any(|word| word.ends_with(part));
        modules.split("::").all(is_module) && self.tests.iter().any(|test| test.starts_with(function))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The text after `fn ` on a line on which a function starts.
fn after_fn(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    ["", "async ", "pub ", "pub async "].contains(&before).then_some(after)
}

/// The text in the brackets at the start of `text`.
fn in_brackets(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        let mut sources = Sources::default();
        sources.add(
            "mod drift;\nsettings!(sync_sqlite: SyncSqlite);\n\n\
             /// Is fn not_a_test true?\n\
             #[test]\nfn a_row_is_there() {\n    let f = |_: fn (u8)| ();\n}\n\n\
             #[tokio::test(\n    flavor = \"multi_thread\",\n)]\n#[ignore = \"slow\"]\nasync fn a_row_is_gone<T>() {}\n\n\
             fn help() {}\n",
        );
        sources
    }

    #[test]
    fn tests_are_found_and_other_functions_are_not() {
        assert_eq!(sources().tests, ["a_row_is_there", "a_row_is_gone"]);
    }

    #[test]
    fn tests_that_a_macro_makes_are_found_by_its_arguments() {
        let mut sources = Sources::default();
        sources.add(
            "macro_rules! ends {\n    ($test:ident) => {\n        #[test]\n        fn $test() {}\n    };\n}\n\
             macro_rules! other {\n    ($name:ident) => {\n        fn $name() {}\n    };\n}\n\
             ends!(a_feed_ends, f(x));\nother!(help);\nends! {\n    a_hub_ends\n}\nfn last() {}\n",
        );
        assert!(sources.have("a_feed_ends") && sources.have("a_hub_ends"));
        assert!(!sources.have("help") && !sources.have("$test") && !sources.have("last"));
    }

    #[test]
    fn a_filter_is_a_part_of_a_name() {
        let sources = sources();
        assert!(sources.have("a_row_is_there") && sources.have("row_is") && sources.have("gone"));
        assert!(!sources.have("a_row_is_here") && !sources.have("help") && !sources.have("not_a_test"));
    }

    #[test]
    fn a_filter_may_name_modules() {
        let sources = sources();
        assert!(sources.have("drift::a_row") && sources.have("sync_sqlite::drift::a_row_is_gone"));
        assert!(sources.have("sqlite::drift::a_row") && sources.have("drift::"));
        assert!(!sources.have("drift::row_is") && !sources.have("batches::a_row"));
    }

    #[test]
    fn a_program_is_a_directory_or_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let programs = dir.path().join(DIRECTORY);
        fs::create_dir_all(programs.join("suite/deep")).unwrap();
        fs::create_dir_all(programs.join("not_a_program")).unwrap();
        fs::write(programs.join("suite/main.rs"), "mod deep;").unwrap();
        fs::write(programs.join("suite/deep/one.rs"), "#[test]\nfn one() {}").unwrap();
        fs::write(programs.join("ui.rs"), "#[test]\nfn two() {}").unwrap();
        fs::create_dir_all(programs.join("shared")).unwrap();
        fs::write(programs.join("shared/first.rs"), "mod three;").unwrap();
        fs::write(programs.join("shared/three.rs"), "#[test]\nfn three() {}").unwrap();
        let mut programs = TestPrograms::new(dir.path());
        let mut problem = |test: &str| {
            let test = Test::try_from(test.to_owned()).unwrap();
            programs.problem(&test).unwrap().unwrap_or_default()
        };
        assert_eq!(problem("suite one"), "");
        assert_eq!(problem("ui two"), "");
        assert_eq!(problem("shared_first three"), "");
        assert_eq!(problem("shared_second three"), "there is no test program tests/tests/shared_second");
        assert_eq!(problem("suite two"), "no test of tests/tests/suite contains two");
        assert_eq!(problem("not_a_program one"), "there is no test program tests/tests/not_a_program");
    }
}
