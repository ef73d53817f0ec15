//! Measures the library side by side with the alternatives, in interleaved rounds of one run, and prints ratios.
//!
//! Run it by `cargo xtask bench`, which starts a PostgreSQL with `fsync` on.

mod measure;
mod memory;
mod model;
mod record;
mod report;
mod setup;

use std::path::PathBuf;

use clap::Parser;

/// Compares the library with hand-written code, raw statements and pgbench.
#[derive(Parser)]
struct Arguments {
    /// Which comparisons to run: `record`, or a part of a name such as `record/update`.
    #[arg(default_value = "")]
    suite: String,
    /// Write the ratios into this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// How many rounds each comparison has.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// The server.
    #[arg(long, env = "EVENTED_BENCH_POSTGRES")]
    url: String,
    /// Where pgbench is.
    #[arg(long, env = "EVENTED_PG_BIN")]
    pg_bin: PathBuf,
    /// Internal: stream a table of this many events, for its peak memory.
    #[arg(long, hide = true)]
    stream: Option<i64>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(events) = arguments.stream {
        return memory::stream(&arguments.url, events);
    }
    let mut report = report::Report::default();
    let bench = setup::Bench {
        url: arguments.url,
        pg_bin: arguments.pg_bin,
        rounds: arguments.rounds,
        suite: arguments.suite,
    };
    record::run(&bench, &mut report)?;
    report.print();
    if let Some(file) = arguments.json {
        report.write(&file)?;
    }
    Ok(())
}
