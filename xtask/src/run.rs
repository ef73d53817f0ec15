//! Running other programs.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use duct::Expression;
use rustix::process::Signal;

use crate::interrupt;

/// How long a program that was asked to end may take: cargo-nextest gives its tests ten seconds.
const GRACE: Duration = Duration::from_secs(15);

/// A program ran and reported failure.
#[derive(Debug)]
pub(crate) struct Failed {
    what: String,
    status: ExitStatus,
}

impl Failed {
    /// The exit code to hand on.
    pub(crate) fn code(&self) -> u8 {
        self.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed ({})", self.what, self.status)
    }
}

impl std::error::Error for Failed {}

/// The root of the workspace, which is where every chore works.
pub(crate) fn root() -> Result<PathBuf> {
    // Asked at run time: a target directory shared by two checkouts may hold the other one's binary.
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).parent().context("xtask has to lie in the workspace")?;
    Ok(root.to_path_buf())
}

/// A cargo command in the root of the workspace.
pub(crate) fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Expression> {
    Ok(cargo_in(&root()?, args))
}

/// A cargo command in `dir`.
pub(crate) fn cargo_in<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Expression {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    duct::cmd(cargo, args).dir(dir)
}

/// Runs `command`, which has to succeed; `what` names it in the error.
pub(crate) fn succeed(what: &str, command: &Expression) -> Result<()> {
    let status = wait(what, command, None)?.context("it ran without limit")?;
    if status.success() { Ok(()) } else { Err(Failed { what: what.to_owned(), status }.into()) }
}

/// Runs `command` to its end; `None` when it had to be ended after `limit`.
pub(crate) fn wait(what: &str, command: &Expression, limit: Option<Duration>) -> Result<Option<ExitStatus>> {
    // A group of its own, so that one signal reaches the test programs that cargo started as well; and no
    // standard input, as a group in the background would be stopped on reading from the terminal.
    let command = command.unchecked().stdin_null().before_spawn(|command| {
        command.process_group(0);
        Ok(())
    });
    let running = interrupt::guard(|| command.start()).with_context(|| format!("cannot run {what}"))?;
    let handle = &running.handle;
    let output = match limit {
        None => Some(handle.wait()?),
        Some(limit) => handle.wait_timeout(limit)?,
    };
    interrupt::check()?;
    if let Some(output) = output {
        return Ok(Some(output.status));
    }
    running.kill(Signal::TERM);
    if handle.wait_timeout(GRACE)?.is_none() {
        running.kill(Signal::KILL);
        handle.wait()?;
    }
    Ok(None)
}
