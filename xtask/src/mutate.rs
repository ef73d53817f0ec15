//! `cargo xtask break`: do the tests notice when an invariant is broken?
//!
//! Each patch of `tests/break` takes out the code that keeps one invariant, and names the test that has to
//! fail without it. A test that stays green with its patch tests nothing.

mod copy;
mod patch;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use comfy_table::{Table, presets};
use duct::Expression;

use crate::interrupt;
use crate::run::{cargo_in, root, succeed, wait};
use crate::test::{Server, has_nextest};
use copy::Copy;
use patch::{Patch, Test};

/// A broken lock makes a test hang rather than fail, and nobody waits for ever.
const LIMIT: Duration = Duration::from_secs(300);

/// What a patch did to its test.
#[derive(PartialEq)]
enum Verdict {
    /// The test failed, as it should.
    Red,
    /// The test does not notice.
    Green,
    /// The test did not end.
    Hangs,
    /// The code has moved on from under the patch.
    DoesNotApply,
    /// The compiler notices before any test could.
    DoesNotBuild,
    /// The test runner gave up with this code.
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

/// Applies the patches one by one, and fails unless each of them turns its test red.
pub(crate) fn run(name: Option<&str>) -> Result<()> {
    let patches = patch::read_all(&root()?.join("tests/break"), name)?;
    let lab = Lab::new()?;
    lab.demand_green(&patches)?;

    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["patch", "invariant", "test", ""]);
    let mut missed = 0;
    for patch in &patches {
        let verdict = lab.try_patch(patch)?;
        println!("xtask: {}: {verdict}", patch.name);
        missed += usize::from(verdict != Verdict::Red);
        table.add_row([&patch.name, &patch.invariant, &patch.test.to_string(), &verdict.to_string()]);
    }
    println!("\n{table}");
    let logs = lab.logs.display();
    ensure!(missed == 0, "{missed} of {} patches did not turn their test red, see {logs}", patches.len());
    println!("xtask: all {} patches were noticed", patches.len());
    Ok(())
}

/// A copy of the sources, a server, and a runner of tests.
struct Lab {
    copy: Copy,
    server: Server,
    nextest: bool,
    target: PathBuf,
    logs: PathBuf,
}

impl Lab {
    fn new() -> Result<Self> {
        // In the main tree, so that the next run finds the dependencies built.
        let target = root()?.join("target/break");
        let logs = target.join("logs");
        fs::create_dir_all(&logs)?;
        Ok(Self { copy: Copy::new()?, server: Server::start()?, nextest: has_nextest()?, target, logs })
    }

    /// A red test proves nothing if it is red anyway.
    fn demand_green(&self, patches: &[Patch]) -> Result<()> {
        // One by one, as a filter that selects nothing would hide behind the others.
        for test in patches.iter().map(|patch| &patch.test).collect::<BTreeSet<_>>() {
            succeed(&format!("without any patch, {test}"), &self.tests(test, &[&test.name]))?;
        }
        Ok(())
    }

    fn try_patch(&self, patch: &Patch) -> Result<Verdict> {
        self.copy.reset()?;
        if !self.copy.apply(&patch.path)? {
            return Ok(Verdict::DoesNotApply);
        }
        let log = |stage: &str| self.logs.join(format!("{}.{stage}.log", patch.name));
        let build = to_file(&self.tests(&patch.test, &["--no-run"]), &log("build"));
        if !wait("cargo", &build, None)?.is_some_and(|status| status.success()) {
            return Ok(Verdict::DoesNotBuild);
        }
        let test = to_file(&self.tests(&patch.test, &[&patch.test.name]), &log("test"));
        let status = wait("the tests", &test, Some(LIMIT))?;
        interrupt::check()?;
        // What the runners report when all went well but for a test.
        let failed = if self.nextest { 100 } else { 101 };
        Ok(match status.map(|status| status.code()) {
            None => Verdict::Hangs,
            Some(Some(0)) => Verdict::Green,
            Some(Some(code)) if code == failed => Verdict::Red,
            Some(code) => Verdict::Unclear(code),
        })
    }

    /// The runner of tests in the copy.
    fn tests(&self, of: &Test, args: &[&str]) -> Expression {
        let runner: &[&str] = if self.nextest { &["nextest", "run"] } else { &["test"] };
        let program = ["-p", "evented-tests", "--test", &of.program];
        let args = runner.iter().chain(&program).chain(args);
        let command = cargo_in(self.copy.path(), args).env("CARGO_TARGET_DIR", &self.target);
        self.server.tell(&command)
    }
}

fn to_file(command: &Expression, file: &Path) -> Expression {
    command.stderr_to_stdout().stdout_path(file)
}
