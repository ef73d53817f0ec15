//! Ctrl-C and its kin: stop the running program, then unwind as after any other error, so that every
//! `Drop` still cleans up behind itself.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

static RAISED: AtomicBool = AtomicBool::new(false);

/// The process group of the program that [`guard`] started and that still runs.
static RUNNING: Mutex<Option<Pid>> = Mutex::new(None);

/// The error of a chore that a signal ended.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Takes over SIGINT, SIGTERM and SIGHUP.
pub(crate) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        // Raised before the lock is taken: `guard` looks at the flag under the lock, so that a program
        // is either not started any more or known here.
        let again = RAISED.swap(true, Ordering::SeqCst);
        if let Some(group) = *running() {
            // The impatient second Ctrl-C does not ask.
            let signal = if again { Signal::KILL } else { Signal::TERM };
            // An error means that the group is gone already.
            let _ = kill_process_group(group, signal);
        }
    })
    .context("cannot listen for signals")
}

/// An error once a signal has come.
pub(crate) fn check() -> Result<()> {
    if RAISED.load(Ordering::SeqCst) { Err(Interrupted.into()) } else { Ok(()) }
}

/// Starts a program, the leader of its own process group, and has signals passed on to that group until
/// [`Guard`] is dropped.
pub(crate) fn guard(start: impl FnOnce() -> io::Result<duct::Handle>) -> Result<Guard> {
    let mut running = running();
    check()?;
    let handle = start()?;
    *running = group_of(&handle);
    Ok(Guard { handle })
}

/// A program that is told about signals.
pub(crate) struct Guard {
    pub(crate) handle: duct::Handle,
}

impl Guard {
    /// Ends the program and what it started.
    pub(crate) fn kill(&self, signal: Signal) {
        if let Some(group) = group_of(&self.handle) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *running() = None;
    }
}

fn group_of(handle: &duct::Handle) -> Option<Pid> {
    let first = handle.pids().first().copied()?;
    Pid::from_raw(i32::try_from(first).ok()?)
}

fn running() -> MutexGuard<'static, Option<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
