//! The chores of the project, for Unix systems. `cargo xtask help` lists them.

mod bench;
mod ci;
mod install;
mod interrupt;
mod mutate;
mod run;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// The chores of the project
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Chore {
    /// Run all tests against a throwaway PostgreSQL server (or the one EVENTED_TEST_POSTGRES names)
    Test {
        /// Passed on to `cargo nextest run` (or `cargo test`); leaves out the doc tests
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run a throwaway PostgreSQL server until Enter or Ctrl-C
    Postgres,
    /// Everything a change has to pass: formatting, lints, feature sets, docs, tests
    Ci,
    /// Run the benchmarks against a PostgreSQL server that really syncs its writes
    Bench {
        /// The suite to run; without it, all of them
        suite: Option<String>,
        /// Also write the results to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Break the library with each patch of tests/break, and demand that a test notices
    Break {
        /// Only the patches whose name contains this
        name: Option<String>,
    },
}

fn main() -> ExitCode {
    let chore = Chore::parse();
    let outcome = interrupt::listen().and_then(|()| match chore {
        Chore::Test { args } => test::run(&args),
        Chore::Postgres => test::serve(),
        Chore::Ci => ci::run(),
        Chore::Bench { suite, json } => bench::run(suite.as_deref(), json.as_deref()),
        Chore::Break { name } => mutate::run(name.as_deref()),
    });
    exit_code(&outcome)
}

fn exit_code(outcome: &Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("xtask: {error:#}");
    if error.is::<interrupt::Interrupted>() {
        // What a shell reports for a program that Ctrl-C ended.
        return ExitCode::from(130);
    }
    ExitCode::from(error.downcast_ref().map_or(1, run::Failed::code))
}
