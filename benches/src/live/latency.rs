//! Measures the time from the commit to the viewer, against a bare feed.

use std::time::{Duration, Instant};

use evented_diesel::{EventedDsl as _, Run, batch};
use evented_live::LiveDsl as _;

use super::model::{self, Spot, WAIT, new, ranked};
use crate::report::Report;
use crate::setup::Bench;

const UPDATES: i32 = 600;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("live/latency") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_live_latency")?;
    let mut conn = model::writer(&url)?;
    let made = batch((0..200).map(|id| Spot::insert(new(id, 1)))).run(&mut conn)?;
    let spot = made.first().ok_or_else(|| anyhow::anyhow!("no spot"))?;
    let hub = model::hub(&url)?;
    let (store, _) = model::store(&hub, &url)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut rank = 0;
    for _ in 0..bench.rounds.min(3) {
        // One side at a time, so that none wakes the other's processor.
        let query = Spot::live().filter(|s| s.org_id.eq(1)).order(|s| s.rank.asc()).limit(20);
        let mut list = store.open(query).wait(WAIT)?;
        for _ in 0..UPDATES {
            rank -= 1;
            spot.update(ranked(rank)).run(&mut conn)?;
            let committed = Instant::now();
            while list.get()[0].rank != rank {
                list.recv_timeout(WAIT)?;
            }
            ours.push(committed.elapsed());
        }
        drop(list);
        let mut feed = hub.subscribe(Spot::changes())?;
        for _ in 0..UPDATES {
            rank -= 1;
            spot.update(ranked(rank)).run(&mut conn)?;
            let committed = Instant::now();
            anyhow::ensure!(feed.recv_timeout(WAIT)?.after().is_some_and(|spot| spot.rank == rank));
            theirs.push(committed.elapsed());
        }
    }
    for (name, share, most) in [("p50", 50, 2.0), ("p99", 99, 3.0)] {
        let (ours, theirs) = (percentile(&mut ours, share), percentile(&mut theirs, share));
        let detail = format!("{ours:.1?} / {theirs:.1?} from the commit to the viewer");
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        report.row(&format!("live/latency-{name}"), ratio, most, "at most", detail);
    }
    Ok(())
}

pub(crate) fn percentile(times: &mut [Duration], share: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * share / 100).copied().unwrap_or_default()
}
