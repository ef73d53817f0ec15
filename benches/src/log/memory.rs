//! Measures the peak memory of checking and rebuilding, which must not grow with the log.

use std::process::Command;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::checkpoints::Checkpointed;
use evented_diesel::verify::LogChecks;
use evented_diesel::{EventedDsl as _, EventedTableDsl as _, Run};

use super::models::hashed::{Hashed, Task};
use super::models::{fill, fresh};
use crate::memory::peak_of_this_process;
use crate::report::Report;
use crate::setup::Bench;

const FEW: i64 = 10_000;
const MANY: i64 = 1_000_000;
const ALLOWED_MB: f64 = 16.0;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/memory") {
        return Ok(());
    }
    let mut peaks = Vec::new();
    for (schema, events) in [("bench_log_few", FEW), ("bench_log_many", MANY)] {
        let url = fresh(bench, schema)?;
        let mut conn = PgConnection::establish(&url)?;
        fill(&mut conn, events, 0)?;
        conn.batch_execute("TRUNCATE hashed_tasks")?;
        let output = Command::new(std::env::current_exe()?)
            .args(["--url", &url, "--pg-bin", ".", "--verify-and-rebuild"])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let peak: f64 = text
            .trim()
            .parse()
            .with_context(|| format!("{text}{}", String::from_utf8_lossy(&output.stderr)))?;
        peaks.push(peak);
    }
    let detail = format!(
        "peak {:.1} MB at {FEW} events, {:.1} MB at {MANY}; the row is the growth in MB",
        peaks[0], peaks[1]
    );
    report.row("log/memory", peaks[1] - peaks[0], ALLOWED_MB, "at most", detail);
    Ok(())
}

/// Runs in the child process: checks a log, rebuilds its table, compares the two, and prints its peak memory in MB.
pub(crate) fn verify_and_rebuild(url: &str) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(url)?;
    anyhow::ensure!(Hashed::verify_chain().run(&mut conn)?.is_empty());
    Hashed::checkpoint().run(&mut conn)?;
    Task::rebuild().run(&mut conn)?;
    anyhow::ensure!(Task::verify_table().run(&mut conn)?.is_empty());
    anyhow::ensure!(Task::verify_replay().run(&mut conn)?.is_empty());
    println!("{}", peak_of_this_process()?);
    Ok(())
}
