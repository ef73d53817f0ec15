//! Runs other programs.

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

/// How long a program may take to end after a signal: cargo-nextest gives its tests ten seconds.
const GRACE: Duration = Duration::from_secs(15);

/// The error for a program that ran and reported a failure.
#[derive(Debug)]
pub(crate) struct Failed {
    what: String,
    status: ExitStatus,
}

impl Failed {
    /// The exit code to pass on.
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

/// The root of the workspace, in which every task runs.
pub(crate) fn root() -> Result<PathBuf> {
    // Read at run time: a target directory that two checkouts share may contain the other checkout's binary.
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

/// Runs `command`. Fails if it does not succeed; `what` names it in the error.
pub(crate) fn succeed(what: &str, command: &Expression) -> Result<()> {
    let status = wait(what, command, None)?.context("it ran without limit")?;
    if status.success() { Ok(()) } else { Err(Failed { what: what.to_owned(), status }.into()) }
}

/// Runs `command` to its end. Returns `None` if it was ended after `limit`.
pub(crate) fn wait(what: &str, command: &Expression, limit: Option<Duration>) -> Result<Option<ExitStatus>> {
    // The command runs in its own process group, so that a signal also reaches the test programs that cargo started.
    // It has no standard input, because a background group would be stopped when it reads from the terminal.
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
