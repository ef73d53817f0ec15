//! `cargo xtask test` and `cargo xtask postgres`: the tests, and the server they talk to.

use std::env;
use std::ffi::OsString;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use duct::Expression;

use crate::install;
use crate::interrupt;
use crate::run::{cargo, succeed};
use evented_test_server::{Cluster, Settings};

/// Where the tests find their server.
const POSTGRES: &str = "EVENTED_TEST_POSTGRES";

/// How a server is started here: it is given up on Ctrl-C.
pub(crate) fn settings(fsync: bool) -> Settings {
    Settings { fsync, interrupted: interrupt::check, ..Settings::default() }
}

/// The server of the tests: the one the environment names, or our own.
pub(crate) struct Server {
    url: String,
    /// Kept for its `Drop`.
    _own: Option<Cluster>,
}

impl Server {
    /// Starts a server unless the environment names one; installs what is missing for tests.
    pub(crate) fn start() -> Result<Self> {
        let given = env::var(POSTGRES).ok();
        if let Some(url) = given {
            println!("xtask: using the server of {POSTGRES}");
            return Ok(Self { url, _own: None });
        }
        install::ensure()?;
        let own = Cluster::start(settings(false))?;
        println!("xtask: PostgreSQL of {} at {}", own.bin_dir().display(), own.url());
        Ok(Self { url: own.url(), _own: Some(own) })
    }

    /// `command` with the server's address.
    pub(crate) fn tell(&self, command: &Expression) -> Expression {
        command.env(POSTGRES, &self.url)
    }
}

/// Whether cargo-nextest is installed.
pub(crate) fn has_nextest() -> Result<bool> {
    Ok(cargo(["nextest", "--version"])?.stdout_null().stderr_null().run().is_ok())
}

/// Runs all tests, or with `args` what they select.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let started = Instant::now();
    let server = Server::start()?;
    let all: &[&str] = if has_nextest()? {
        &["nextest", "run", "--workspace"]
    } else {
        println!("xtask: cargo-nextest is not installed, cargo test is slower but does");
        &["test", "--workspace", "--all-targets"]
    };
    let tests = cargo(all.iter().map(OsString::from).chain(args.iter().cloned()))?;
    succeed("the tests", &server.tell(&tests))?;
    if args.is_empty() {
        // The examples of the derive's docs need the whole library: the package of the tests runs them.
        let docs = cargo(["test", "--workspace", "--exclude", "evented-derive", "--doc"])?;
        succeed("the doc tests", &server.tell(&docs))?;
    }
    println!("xtask: the tests passed in {} s", started.elapsed().as_secs());
    Ok(())
}

/// Runs the server of the tests until Enter, the end of the input, or a signal.
pub(crate) fn serve() -> Result<()> {
    install::ensure()?;
    let cluster = Cluster::start(settings(false))?;
    println!("{POSTGRES}={}", cluster.url());
    println!("psql: {} {}", cluster.bin("psql").display(), cluster.url());
    println!("files: {}", cluster.dir().display());
    println!("Enter or Ctrl-C stops the server and deletes its files.");
    let (enter, entered) = mpsc::channel();
    // Reading cannot be interrupted, so it gets a thread that nobody waits for.
    thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        let _ = enter.send(());
    });
    while let Err(RecvTimeoutError::Timeout) = entered.recv_timeout(Duration::from_millis(100)) {
        if interrupt::check().is_err() {
            // Here, Ctrl-C is how it is meant to end.
            break;
        }
    }
    Ok(())
}
