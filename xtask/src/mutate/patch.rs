//! The patches of `tests/break`: each one breaks an invariant of the library.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// One way to break the library.
pub(super) struct Patch {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// What no longer holds with the patch.
    pub(super) invariant: String,
    /// Who has to notice.
    pub(super) test: Test,
}

/// Some tests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Test {
    /// The program of tests that they are in: only that one is built.
    pub(super) program: String,
    /// The part of their names that selects them.
    pub(super) name: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.name)
    }
}

/// The patches in `dir` whose names contain `name`, in the order of their names.
pub(super) fn read_all(dir: &Path, name: Option<&str>) -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    if dir.is_dir() {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "patch") {
                patches.push(read(path)?);
            }
        }
    }
    patches.retain(|patch| name.is_none_or(|name| patch.name.contains(name)));
    patches.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(!patches.is_empty(), "no such patch in {}", dir.display());
    Ok(patches)
}

fn read(path: PathBuf) -> Result<Patch> {
    let text = fs::read_to_string(&path)?;
    // Only the header: a patch may well add a line that looks like one of these.
    let header: Vec<&str> =
        text.lines().take_while(|line| line.starts_with('#') || line.is_empty()).collect();
    let field = |key: &str| {
        let value = header.iter().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let value = value.filter(|value| !value.is_empty());
        value.map(String::from).with_context(|| format!("{} does not begin with \"{key} …\"", path.display()))
    };
    let (invariant, test) = (field("# invariant:")?, field("# test:")?);
    let (program, test) =
        test.split_once(' ').with_context(|| format!("{}: {test} of what?", path.display()))?;
    let test = Test { program: program.to_owned(), name: test.trim().to_owned() };
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Patch { name, path, invariant, test })
}
