//! `cargo xtask break`: checks that the tests fail when an invariant is broken.
//!
//! Each file of `tests/break` replaces the code that maintains one invariant, and names the test that must then fail.
//! A test that passes with its break does not test the invariant.

mod file;
mod replace;
mod test_names;
mod worktree;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comfy_table::{Table, presets};
use duct::Expression;

use crate::interrupt;
use crate::run::{cargo_in, root, succeed, wait};
use crate::test::{Server, has_nextest};
use file::{Break, BreakFile, Selection, Test};
use test_names::TestPrograms;
use worktree::Worktree;

/// A broken lock makes a test hang rather than fail, so each test has a time limit.
const LIMIT: Duration = Duration::from_secs(300);

/// The effect of a break on its test.
#[derive(PartialEq)]
enum Verdict {
    /// The test failed, as expected.
    Red,
    /// The test did not fail.
    Green,
    /// The test did not end within the time limit.
    Hangs,
    /// The code to replace has changed, so the break does not apply.
    DoesNotApply,
    /// The code with the break does not compile.
    DoesNotBuild,
    /// The test runner failed with this exit code.
    Unclear(Option<i32>),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Red => f.write_str("red"),
            Self::Green => f.write_str("GREEN"),
            Self::Hangs => f.write_str("HANGS"),
            Self::DoesNotApply => f.write_str("DOES NOT APPLY"),
            Self::DoesNotBuild => f.write_str("DOES NOT BUILD"),
            Self::Unclear(Some(code)) => write!(f, "UNCLEAR (exit code {code})"),
            Self::Unclear(None) => f.write_str("UNCLEAR (killed)"),
        }
    }
}

/// Applies the breaks one by one. Fails unless the test of each break fails.
///
/// `name` selects the breaks whose names contain it, `from` those whose names do not sort before it.
pub(crate) fn run(name: Option<&str>, from: Option<&str>) -> Result<()> {
    let files = file::list(&root()?, Selection { name, from })?;
    let breaks = files.iter().map(BreakFile::read).collect::<Result<Vec<_>>>()?;
    let runner = BreakRunner::new()?;
    let is_all = name.is_none() && from.is_none();
    let mut results = Results::open(&runner.directory, is_all, &runner.worktree.commit()?)?;
    runner.demand_green(&breaks)?;

    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["break", "invariant", "test", ""]);
    let mut missed = 0;
    for one in &breaks {
        let verdict = runner.try_break(one)?;
        println!("xtask: {}: {verdict}", one.name);
        results.add(&format!("{}: {verdict}", one.name))?;
        missed += usize::from(verdict != Verdict::Red);
        table.add_row([&one.name, &one.invariant, &one.test.to_string(), &verdict.to_string()]);
    }
    println!("\n{table}");
    println!("xtask: the results are in {}", results.path.display());
    let logs = runner.logs.display();
    ensure!(missed == 0, "{missed} of {} breaks did not turn their test red, see {logs}", breaks.len());
    println!("xtask: all {} breaks were noticed", breaks.len());
    Ok(())
}

/// Fails unless every break applies to the current sources and its test exists. Builds nothing.
pub(crate) fn check(name: Option<&str>) -> Result<()> {
    let root = root()?;
    let files = file::list(&root, Selection { name, from: None })?;
    let mut programs = TestPrograms::new(&root);
    let mut stale = 0;
    for file in &files {
        let problems = problems(&root, file, &mut programs)?;
        stale += usize::from(!problems.is_empty());
        for problem in problems {
            println!("xtask: {problem}");
        }
    }
    ensure!(stale == 0, "{stale} of {} breaks no longer apply", files.len());
    println!("xtask: all {} breaks apply", files.len());
    Ok(())
}

/// The problems of a break, one line for each.
fn problems(root: &Path, file: &BreakFile, programs: &mut TestPrograms) -> Result<Vec<String>> {
    let one = match file.read() {
        Ok(one) => one,
        Err(error) => return Ok(vec![format!("{error:#}")]),
    };
    let replaced = replace::replaced(root, &one.replacements);
    let mut problems: Vec<String> = replaced.err().into_iter().flatten().map(|it| it.to_string()).collect();
    problems.extend(programs.problem(&one.test)?);
    Ok(problems.into_iter().map(|problem| format!("{file}: {problem}")).collect())
}

/// The verdicts of past runs, in a file. A run takes long, so the verdicts of an interrupted run are kept.
struct Results {
    path: PathBuf,
    file: File,
}

impl Results {
    /// A run of all breaks starts a new file. Any other run appends to it.
    fn open(directory: &Path, is_all: bool, commit: &str) -> Result<Self> {
        let path = directory.join("results.txt");
        let mut options = File::options();
        options.create(true);
        if is_all {
            options.write(true).truncate(true)
        } else {
            options.append(true)
        };
        let file = options.open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut results = Self { path, file };
        results.add(&format!("commit {commit}"))?;
        Ok(results)
    }

    fn add(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Sources to break, a server, and a test runner.
struct BreakRunner {
    worktree: Worktree,
    server: Server,
    nextest: bool,
    /// The directory in which cargo builds and the run stores its results.
    directory: PathBuf,
    logs: PathBuf,
}

impl BreakRunner {
    fn new() -> Result<Self> {
        // In the main worktree, so that the next run can reuse the built dependencies.
        let directory = root()?.join("target/break");
        let logs = directory.join("logs");
        fs::create_dir_all(&logs)?;
        let (worktree, server) = (Worktree::new()?, Server::start()?);
        Ok(Self { worktree, server, nextest: has_nextest()?, directory, logs })
    }

    /// Checks that the tests pass without a break. A failure with a break proves nothing otherwise.
    fn demand_green(&self, breaks: &[Break]) -> Result<()> {
        // One by one, because a filter that selects no test would not be noticed among the others.
        for test in breaks.iter().map(|one| &one.test).collect::<BTreeSet<_>>() {
            succeed(&format!("without any break, {test}"), &self.tests(test, &[&test.filter]))?;
        }
        Ok(())
    }

    fn try_break(&self, one: &Break) -> Result<Verdict> {
        self.worktree.reset()?;
        match replace::replaced(self.worktree.path(), &one.replacements) {
            Ok(texts) => self.worktree.write(&texts)?,
            Err(problems) => {
                for problem in problems {
                    println!("xtask: {}/{}.toml: {problem}", file::DIRECTORY, one.name);
                }
                return Ok(Verdict::DoesNotApply);
            }
        }
        let log = |stage: &str| self.logs.join(format!("{}.{stage}.log", one.name));
        let build = to_file(&self.tests(&one.test, &["--no-run"]), &log("build"));
        if !wait("cargo", &build, None)?.is_some_and(|status| status.success()) {
            return Ok(Verdict::DoesNotBuild);
        }
        let test = to_file(&self.tests(&one.test, &[&one.test.filter]), &log("test"));
        let status = wait("the tests", &test, Some(LIMIT))?;
        interrupt::check()?;
        // The exit code of the runner when only a test failed.
        let failed = if self.nextest { 100 } else { 101 };
        Ok(match status.map(|status| status.code()) {
            None => Verdict::Hangs,
            Some(Some(0)) => Verdict::Green,
            Some(Some(code)) if code == failed => Verdict::Red,
            Some(code) => Verdict::Unclear(code),
        })
    }

    /// The test runner in the worktree.
    fn tests(&self, of: &Test, args: &[&str]) -> Expression {
        let runner: &[&str] = if self.nextest { &["nextest", "run"] } else { &["test"] };
        let program: &[&str] = if Test::is_package(&of.program) {
            &["-p", &of.program, "--lib", "--all-features"]
        } else {
            &["-p", Test::package(&of.program), "--test", &of.program]
        };
        let args = runner.iter().chain(program).chain(args);
        // Without debug information a break builds faster. Its tests only have to fail.
        let command = cargo_in(self.worktree.path(), args)
            .env("CARGO_TARGET_DIR", &self.directory)
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        self.server.tell(&command)
    }
}

fn to_file(command: &Expression, file: &Path) -> Expression {
    command.stderr_to_stdout().stdout_path(file)
}
