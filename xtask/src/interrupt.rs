//! Handles Ctrl-C and similar signals: stops the running program, then returns an error like any other, so that every
//! `Drop` cleans up.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

static RAISED: AtomicBool = AtomicBool::new(false);

/// The process group of the program that [`guard`] started and that is still running.
static RUNNING: Mutex<Option<Pid>> = Mutex::new(None);

/// The error of a task that a signal interrupted.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Installs the handler of SIGINT, SIGTERM and SIGHUP.
pub(crate) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        // Set before the lock is taken. `guard` reads the flag under the lock, so a program is either not started any
        // more or known here.
        let again = RAISED.swap(true, Ordering::SeqCst);
        if let Some(group) = *running() {
            // The second Ctrl-C kills the program.
            let signal = if again { Signal::KILL } else { Signal::TERM };
            // An error means that the group has already ended.
            let _ = kill_process_group(group, signal);
        }
    })
    .context("cannot listen for signals")
}

/// Returns an error once a signal has been received.
pub(crate) fn check() -> Result<()> {
    if RAISED.load(Ordering::SeqCst) { Err(Interrupted.into()) } else { Ok(()) }
}

/// Starts a program as the leader of its own process group. Signals are forwarded to the group until [`Guard`] is
/// dropped.
pub(crate) fn guard(start: impl FnOnce() -> io::Result<duct::Handle>) -> Result<Guard> {
    let mut running = running();
    check()?;
    let handle = start()?;
    *running = group_of(&handle);
    Ok(Guard { handle })
}

/// A program that signals are forwarded to.
pub(crate) struct Guard {
    pub(crate) handle: duct::Handle,
}

impl Guard {
    /// Ends the program and the processes that it started.
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
