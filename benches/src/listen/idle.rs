//! Measures the CPU time of an idle hub.

use std::time::Duration;

use anyhow::Context;
use diesel::prelude::*;
use evented_feed::Hub;

use super::model::{self, Job};
use crate::report::Report;
use crate::setup::Bench;

const TIME: Duration = Duration::from_secs(20);
/// The highest allowed CPU time, in percent of a core.
const MOST: f64 = 0.3;
/// How long a hub has been idle before it is measured: its interval has grown to its longest.
const BEFORE: Duration = Duration::from_secs(2);

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("listen/idle-postgres") {
        let url = model::postgres(bench, "bench_listen_idle")?;
        let hub = Hub::of::<Job>().start(move || PgConnection::establish(&url))?;
        measure(report, "listen/idle-postgres")?;
        hub.stop();
    }
    if bench.wants("listen/idle-sqlite") {
        let folder = tempfile::tempdir()?;
        let path = model::sqlite(folder.path())?;
        let hub = Hub::of::<Job>().start(move || SqliteConnection::establish(&path))?;
        measure(report, "listen/idle-sqlite")?;
        hub.stop();
    }
    Ok(())
}

fn measure(report: &mut Report, name: &str) -> anyhow::Result<()> {
    std::thread::sleep(BEFORE);
    let before = time_of_this_process()?;
    std::thread::sleep(TIME);
    let spent = time_of_this_process()? - before;
    let share = 100.0 * spent / TIME.as_secs_f64();
    report.row(
        name,
        share,
        MOST,
        "at most",
        format!("{spent:.2} s of {TIME:?}; the row is percent of a core"),
    );
    Ok(())
}

/// Returns the CPU time of this process, in seconds.
pub(crate) fn time_of_this_process() -> anyhow::Result<f64> {
    // The unit is a tick of a hundredth of a second, on every Linux.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').context("no name in /proc")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| {
        fields.get(field).context("too few fields")?.parse::<f64>().map_err(anyhow::Error::from)
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
