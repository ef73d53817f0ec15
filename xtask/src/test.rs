//! `cargo xtask test` and `cargo xtask postgres`: runs the tests, and the server that they use.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead as _};
use std::num::NonZero;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use duct::Expression;

use crate::install;
use crate::interrupt;
use crate::run::{cargo, succeed};
use evented_test_server::{Cluster, Settings};

/// The environment variable with the address of the tests' server.
const POSTGRES: &str = "EVENTED_TEST_POSTGRES";

/// The settings of a server. Starting it stops at Ctrl-C.
pub(crate) fn settings(fsync: bool) -> Settings {
    Settings { fsync, interrupted: interrupt::check, ..Settings::default() }
}

/// The server of the tests: the one that the environment names, or one that is started here.
pub(crate) struct Server {
    url: String,
    /// Held for its `Drop`.
    _own: Option<Cluster>,
}

impl Server {
    /// Starts a server unless the environment names one. Installs PostgreSQL if it is missing.
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

    /// Adds the server's address to the environment of `command`.
    pub(crate) fn tell(&self, command: &Expression) -> Expression {
        command.env(POSTGRES, &self.url)
    }
}

/// Whether cargo-nextest is installed.
pub(crate) fn has_nextest() -> Result<bool> {
    Ok(cargo(["nextest", "--version"])?.stdout_null().stderr_null().run().is_ok())
}

/// A test whose path contains one of these parts needs a PostgreSQL server.
const NEEDS_POSTGRES: [&str; 2] = ["postgres", "wal::"];

/// Runs all tests, or the tests that `args` select.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let started = Instant::now();
    let server = Server::start()?;
    install::browser();
    succeed("the tests", &server.tell(&tests(args, &[])?))?;
    if args.is_empty() {
        succeed("the doc tests", &server.tell(&doc_tests()?))?;
    }
    println!("xtask: the tests passed in {} s", started.elapsed().as_secs());
    Ok(())
}

/// Runs the tests that need no server.
pub(crate) fn run_on_sqlite(args: &[OsString]) -> Result<()> {
    let started = Instant::now();
    // Without a server from the environment: a test that should have been left out fails.
    succeed("the tests", &tests(args, &NEEDS_POSTGRES)?.env_remove(POSTGRES))?;
    if args.is_empty() {
        succeed("the doc tests", &doc_tests()?.env_remove(POSTGRES))?;
    }
    let left_out = NEEDS_POSTGRES.map(|part| format!("`{part}`")).join(" or ");
    println!(
        "xtask: the tests passed in {} s; left out are those that need PostgreSQL (with {left_out} in their paths)",
        started.elapsed().as_secs()
    );
    Ok(())
}

/// The test runner, without the tests whose paths contain one of `left_out`.
fn tests(args: &[OsString], left_out: &[&str]) -> Result<Expression> {
    let all: &[&str] = if has_nextest()? {
        &["nextest", "run", "--workspace", "--all-features"]
    } else {
        println!("xtask: cargo-nextest is not installed, cargo test is slower but does");
        &["test", "--workspace", "--all-features", "--all-targets"]
    };
    let mut all: Vec<OsString> = all.iter().map(OsString::from).collect();
    all.extend(args.iter().cloned());
    if args.is_empty() {
        // Everything runs, and each failure is reported.
        all.push("--no-fail-fast".into());
    }
    if !left_out.is_empty() && !args.iter().any(|arg| arg == "--") {
        all.push("--".into());
    }
    // Both runners accept `--skip` after the two dashes.
    all.extend(left_out.iter().flat_map(|part| ["--skip", part]).map(OsString::from));
    let tests = cargo(all)?;
    // What the environment or `--test-threads` says comes first.
    Ok(if env::var_os(THREADS).is_some() { tests } else { tests.env(THREADS, at_once().to_string()) })
}

/// The number of tests that nextest runs at once.
const THREADS: &str = "NEXTEST_TEST_THREADS";

/// Many tests wait for a server most of the time, so there are more than the machine has processors.
fn at_once() -> usize {
    2 * thread::available_parallelism().map_or(1, NonZero::get)
}

/// The doc tests. The examples in the derive's documentation need the whole library, so the package of the tests runs
/// them.
fn doc_tests() -> Result<Expression> {
    cargo(["test", "--workspace", "--all-features", "--exclude", "evented-derive", "--doc"])
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
    // Reading cannot be interrupted, so it runs on a thread that is never joined.
    thread::spawn(move || {
        // A standard input without line breaks must not fill the memory.
        let _ = io::stdin().lock().skip_until(b'\n');
        let _ = enter.send(());
    });
    while let Err(RecvTimeoutError::Timeout) = entered.recv_timeout(Duration::from_millis(100)) {
        if interrupt::check().is_err() {
            // Ctrl-C is the intended end here.
            break;
        }
    }
    Ok(())
}
