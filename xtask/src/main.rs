//! The development tasks of the project, for Unix systems. `cargo xtask help` lists them.

mod bench;
mod breaks;
mod ci;
mod dependencies;
mod fuzz;
mod install;
mod interrupt;
mod layers;
mod run;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// The development tasks of the project
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Run all tests against a throwaway PostgreSQL server (or the one that EVENTED_TEST_POSTGRES names)
    Test {
        /// Start no server, and leave out the tests that need PostgreSQL
        #[arg(long)]
        sqlite: bool,
        /// Arguments for `cargo nextest run` (or `cargo test`); leaves out the doc tests
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run a throwaway PostgreSQL server until Enter or Ctrl-C
    Postgres,
    /// Run everything that a change must pass: formatting, breaks that apply, lints, feature sets, docs, tests
    Ci,
    /// Check the architecture: imports that point down, the length of files and functions
    Layers,
    /// Build the crates with the oldest versions of their dependencies that the manifests allow
    MinimalVersions,
    /// Look for inputs that the core does not handle, with libFuzzer; needs a nightly compiler
    Fuzz {
        /// The target; all targets if omitted
        target: Option<String>,
        /// How long each target runs
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        seconds: u32,
    },
    /// Run the benchmarks against a PostgreSQL server that syncs its writes to disk
    Bench {
        /// The suite to run; all suites if omitted
        suite: Option<String>,
        /// Also write the results to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Break the library in each way of tests/break, and check that a test fails
    Break {
        /// Only the breaks whose names contain this text
        name: Option<String>,
        /// Leave out the breaks whose names sort before this one, to continue an interrupted run
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
        /// Run nothing: check that the breaks apply to the current sources, and that their tests exist
        #[arg(long, conflicts_with = "from")]
        check: bool,
    },
}

fn main() -> ExitCode {
    let task = Task::parse();
    let outcome = interrupt::listen().and_then(|()| match task {
        Task::Test { sqlite: false, args } => test::run(&args),
        Task::Test { sqlite: true, args } => test::run_on_sqlite(&args),
        Task::Postgres => test::serve(),
        Task::Ci => ci::run(),
        Task::Layers => layers::check(),
        Task::MinimalVersions => dependencies::check_minimal_versions(),
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Task::Bench { suite, json } => bench::run(suite.as_deref(), json.as_deref()),
        Task::Break { name, check: true, .. } => breaks::check(name.as_deref()),
        Task::Break { name, from, .. } => breaks::run(name.as_deref(), from.as_deref()),
    });
    exit_code(&outcome)
}

fn exit_code(outcome: &Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("xtask: {error:#}");
    if error.is::<interrupt::Interrupted>() {
        // The exit code that a shell reports for a program that Ctrl-C ended.
        return ExitCode::from(130);
    }
    ExitCode::from(error.downcast_ref().map_or(1, run::Failed::code))
}
