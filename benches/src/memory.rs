//! Measures the peak memory of streaming a whole table, which must not grow with the log.
//!
//! Each measurement runs in its own process, because the peak of a process never decreases.

use std::process::Command;

use anyhow::Context;
use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run, batch};

use crate::model::{Task, new};
use crate::report::Report;
use crate::setup::{Bench, fresh};

const FEW: i64 = 10_000;
const MANY: i64 = 1_000_000;
/// How many more MB the larger log may use.
const ALLOWED_MB: f64 = 16.0;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/stream-memory") {
        return Ok(());
    }
    let url = fill(&bench.url, MANY)?;
    let (few, many) = (peak(&url, FEW)?, peak(&url, MANY)?);
    let detail =
        format!("peak {few:.1} MB at {FEW} events, {many:.1} MB at {MANY}; the row is the growth in MB");
    report.row("record/stream-memory", many - few, ALLOWED_MB, "at most", detail);
    Ok(())
}

fn fill(url: &str, events: i64) -> anyhow::Result<String> {
    let url = fresh(url, "bench_stream")?;
    let mut conn = PgConnection::establish(&url)?;
    diesel::sql_query("SET synchronous_commit = off").execute(&mut conn)?;
    let mut made = 0;
    while made < events {
        let part = (events - made).min(20_000);
        batch((0..part).map(|n| Task::insert(new(format!("task {n}"))))).run(&mut conn)?;
        made += part;
    }
    Ok(url)
}

/// Returns the peak memory of a process that streams the table, in MB.
fn peak(url: &str, events: i64) -> anyhow::Result<f64> {
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .args(["--url", url, "--pg-bin", ".", "--stream"])
        .arg(events.to_string())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Runs in the child process: streams the first `events` events, and prints its peak memory in MB.
pub(crate) fn stream(url: &str, events: i64) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(url)?;
    let mut table = Task::table_at(events);
    let mut records = 0;
    while let Some(page) = table.page().run(&mut conn)? {
        records += page.len();
    }
    anyhow::ensure!(records as i64 == events, "{records} records");
    println!("{}", peak_of_this_process()?);
    Ok(())
}

/// Returns the peak memory of this process so far, in MB.
pub(crate) fn peak_of_this_process() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak in /proc")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}
