//! Measures the latency from the commit to the subscriber: by polling alone, and by hints from another process.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use diesel::prelude::*;
use evented_diesel::{Error, EventedDsl as _, Run};
use evented_feed::{Hub, Relay};

use super::model::{self, Job, new};
use crate::report::Report;
use crate::setup::Bench;

const WRITES: usize = 2_000;
/// The highest allowed 99th percentile, in milliseconds: one and a half of the interval at which a hub polls while
/// changes come that no hint announces.
const MOST: f64 = 6.0;
/// The same with hints.
const MOST_WITH_HINTS: f64 = 5.0;

macro_rules! measure {
    ($hub:ident, $conn:ident, $report:ident, $name:literal) => {{
        let mut feed = $hub.subscribe(Job::changes())?;
        let mut times = Vec::with_capacity(WRITES);
        for write in 0..WRITES {
            // A transaction of the caller sends no hint: the hub finds the change by polling.
            $conn.transaction(|conn| {
                Job::insert(new(1, "job"))
                    .run(conn)
                    .map(drop)
                    .map_err(Box::<Error>::from)
                    .map_err(|error| diesel::result::Error::QueryBuilderError(error))
            })?;
            let committed = Instant::now();
            feed.recv().ok_or_else(|| anyhow::anyhow!("the hub has stopped"))??;
            times.push(committed.elapsed());
            // Vary the pause, so that the writes do not fall into step with the hub's polls.
            std::thread::sleep(Duration::from_micros(700 + (write as u64 * 379) % 2_300));
        }
        add_row($report, $name, MOST, times);
    }};
}

fn add_row(report: &mut Report, name: &str, aim: f64, mut times: Vec<Duration>) {
    times.sort();
    let (half, most) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let detail = format!("p50 {half:.1?}, p99 {most:.1?}; the row is p99 in ms");
    report.row(name, most.as_secs_f64() * 1_000.0, aim, "at most", detail);
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("listen/latency-postgres") {
        let url = model::postgres(bench, "bench_listen_latency")?;
        let mut conn = PgConnection::establish(&url)?;
        let hub = Hub::of::<Job>().start(move || PgConnection::establish(&url))?;
        measure!(hub, conn, report, "listen/latency-postgres");
    }
    if bench.wants("listen/latency-sqlite") {
        let folder = tempfile::tempdir()?;
        let path = model::sqlite(folder.path())?;
        let mut conn = SqliteConnection::establish(&path)?;
        let hub = Hub::of::<Job>().start(move || SqliteConnection::establish(&path))?;
        measure!(hub, conn, report, "listen/latency-sqlite");
    }
    if bench.wants("listen/latency-hints") {
        let times = with_hints(&model::postgres(bench, "bench_listen_hints")?)?;
        add_row(report, "listen/latency-hints", MOST_WITH_HINTS, times);
    }
    Ok(())
}

/// Another process writes, and passes its hints through a relay.
fn with_hints(url: &str) -> anyhow::Result<Vec<Duration>> {
    let _relay = Relay::start(url)?;
    let of_hub = url.to_owned();
    let hub = Hub::of::<Job>().start(move || PgConnection::establish(&of_hub))?;
    let mut feed = hub.subscribe(Job::changes())?;
    let mut writer = Command::new(std::env::current_exe()?)
        .args(["--url", url, "--pg-bin", ".", "--write"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut received = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        feed.recv().ok_or_else(|| anyhow::anyhow!("the hub has stopped"))??;
        received.push(SystemTime::now());
    }
    let output = BufReader::new(writer.stdout.take().context("no output")?);
    let mut times = Vec::with_capacity(WRITES);
    for (line, received) in output.lines().zip(received) {
        let committed = UNIX_EPOCH + Duration::from_nanos(line?.parse()?);
        // A hub can be faster than the answer to the commit.
        times.push(received.duration_since(committed).unwrap_or_default());
    }
    writer.wait()?;
    anyhow::ensure!(times.len() == WRITES, "{} writes", times.len());
    Ok(times)
}

/// Runs in the child process: writes, and prints when each write was committed, in nanoseconds.
pub(crate) fn write(url: &str) -> anyhow::Result<()> {
    let _relay = Relay::start(url)?;
    let mut conn = PgConnection::establish(url)?;
    let mut committed = Vec::with_capacity(WRITES);
    for write in 0..WRITES {
        Job::insert(new(1, "job")).run(&mut conn)?;
        committed.push(SystemTime::now());
        std::thread::sleep(Duration::from_micros(700 + (write as u64 * 379) % 2_300));
    }
    for time in committed {
        println!("{}", time.duration_since(UNIX_EPOCH)?.as_nanos());
    }
    Ok(())
}
