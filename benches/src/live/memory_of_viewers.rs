//! Measures the memory of viewers that are idle.

use anyhow::Context;
use evented_diesel::{EventedDsl as _, Run, batch};
use evented_live::LiveDsl as _;

use super::model::{self, Spot, WAIT, new};
use crate::report::Report;
use crate::setup::Bench;

const VIEWERS: usize = 100_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("live/memory") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_live_memory")?;
    let mut conn = model::writer(&url)?;
    batch((0..200).map(|id| Spot::insert(new(id, id % 4)))).run(&mut conn)?;
    let hub = model::hub(&url)?;
    let (store, _) = model::store(&hub, &url)?;
    let open = || -> anyhow::Result<_> {
        let mut set = store.set();
        set.sync("one", Spot::live().one(7))?;
        set.sync("mine", Spot::live().filter(|s| s.org_id.eq(1)))?;
        set.sync("first", Spot::live().order(|s| s.rank.desc()).limit(10))?;
        set.wait(WAIT)?;
        Ok(set)
    };
    let first = open()?;
    let before = resident()?;
    let viewers = (0..VIEWERS).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let each = (resident()? - before) * 1024.0 / VIEWERS as f64;
    let detail =
        format!("{VIEWERS} idle sets of three labels that others have too; the row is bytes of each");
    report.row("live/memory", each, 2_048.0, "at most", detail);
    drop((first, viewers));
    Ok(())
}

/// The memory of this process, in kilobytes.
pub(crate) fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no size in /proc")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
