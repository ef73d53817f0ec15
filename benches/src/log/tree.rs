//! Measures the tree over a log of a million events: the next checkpoint, and proofs.

use std::time::Duration;

use diesel::prelude::*;
use evented_diesel::checkpoints::Checkpointed;
use evented_diesel::{EventedDsl as _, Run};

use super::models::hashed::{Hashed, Task, new};
use super::models::{fill, fresh};
use crate::measure::timed;
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i64 = 1_000_000;
const NEW: u32 = 1_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/tree") {
        return Ok(());
    }
    let url = fresh(bench, "bench_log_tree")?;
    let mut conn = PgConnection::establish(&url)?;
    fill(&mut conn, EVENTS, 0)?;
    anyhow::ensure!(Hashed::checkpoint().run(&mut conn)?.is_some());
    let (mut makes, mut inclusions, mut consistencies) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..bench.rounds {
        let mut last = None;
        for n in 0..NEW {
            last = Some(Task::insert(new(format!("{round} {n}"))).recorded().run(&mut conn)?.offset());
        }
        makes.push(timed(&mut || {
            anyhow::ensure!(Hashed::checkpoint().run(&mut conn)?.is_some());
            Ok(())
        })?);
        let Some(event) = last else { continue };
        inclusions.push(timed(&mut || {
            anyhow::ensure!(Hashed::prove_inclusion(event).run(&mut conn)?.verify());
            Ok(())
        })?);
        consistencies.push(timed(&mut || {
            anyhow::ensure!(Hashed::prove_consistency(1).run(&mut conn)?.verify());
            Ok(())
        })?);
    }
    let mut row = |name: &str, times: &mut Vec<Duration>, target: f64, of: &str| {
        times.sort();
        let median = times[times.len() / 2];
        let detail =
            format!("{of}; {:.1?} to {:.1?}; the row is the median in ms", times[0], times[times.len() - 1]);
        report.row(name, median.as_secs_f64() * 1_000.0, target, "at most", detail);
    };
    row("log/tree-checkpoint", &mut makes, 50.0, &format!("{NEW} new events over {EVENTS}"));
    row("log/tree-inclusion", &mut inclusions, 10.0, &format!("one event of {EVENTS}"));
    row("log/tree-consistency", &mut consistencies, 10.0, "the last checkpoint continues the first");
    Ok(())
}
