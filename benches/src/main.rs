//! Measures the library side by side with the alternatives, in interleaved rounds of one run, and prints ratios.
//!
//! Run it with `cargo xtask bench`, which starts a PostgreSQL server with `fsync` on.

mod listen;
mod live;
mod log;
mod measure;
mod memory;
mod model;
mod react;
mod record;
mod report;
mod setup;

use std::path::PathBuf;

use clap::Parser;

/// Compares the library with hand-written code, raw statements and pgbench.
#[derive(Parser)]
struct Arguments {
    /// The comparisons to run: `record`, `log`, `listen`, `react`, `live`, or the beginning of a name such as `record/update`. Default:
    /// all.
    #[arg(default_value = "")]
    suite: String,
    /// Write the ratios to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The number of rounds of each comparison.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// The number of minutes of each run of `react/old-snapshot`, and of `live/pages-flat`.
    #[arg(long, env = "EVENTED_BENCH_MINUTES", default_value_t = 1.0)]
    minutes: f64,
    /// The URL of the PostgreSQL server.
    #[arg(long, env = "EVENTED_BENCH_POSTGRES")]
    url: String,
    /// The folder that contains pgbench.
    #[arg(long, env = "EVENTED_PG_BIN")]
    pg_bin: PathBuf,
    /// Internal: stream a table of this many events, for its peak memory.
    #[arg(long, hide = true)]
    stream: Option<i64>,
    /// Internal: check and rebuild, for the peak memory.
    #[arg(long, hide = true)]
    verify_and_rebuild: bool,
    /// Internal: read the write-ahead log through this slot.
    #[arg(long, hide = true)]
    tail: Option<String>,
    /// Internal: write, and pass hints.
    #[arg(long, hide = true)]
    write: bool,
    /// Internal: open pages at an address: `address,organisations,pages of each`.
    #[arg(long, hide = true)]
    pages: Option<String>,
    /// Internal: backfill rows, until killed.
    #[arg(long, hide = true)]
    backfill: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(events) = arguments.stream {
        return memory::stream(&arguments.url, events);
    }
    if let Some(slot) = arguments.tail {
        return listen::read_tail(&arguments.url, &slot);
    }
    if arguments.write {
        return listen::write(&arguments.url);
    }
    if let Some(pages) = arguments.pages {
        return live::open_pages(&pages);
    }
    if arguments.verify_and_rebuild {
        return log::verify_and_rebuild(&arguments.url);
    }
    if arguments.backfill {
        return log::backfill::backfill(&arguments.url);
    }
    let mut report = report::Report::default();
    let bench = setup::Bench {
        url: arguments.url,
        pg_bin: arguments.pg_bin,
        rounds: arguments.rounds,
        suite: arguments.suite,
        minutes: arguments.minutes,
    };
    record::run(&bench, &mut report)?;
    log::run(&bench, &mut report)?;
    listen::run(&bench, &mut report)?;
    react::run(&bench, &mut report)?;
    live::run(&bench, &mut report)?;
    report.print();
    if let Some(file) = arguments.json {
        report.write(&file)?;
    }
    Ok(())
}
