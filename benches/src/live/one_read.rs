//! Counts the reads of 1,000 pages that open at once on one query.

use std::sync::atomic::Ordering;

use evented_diesel::{EventedDsl as _, Run, batch};
use evented_live::LiveDsl as _;

use super::model::{self, Spot, WAIT, new};
use crate::report::Report;
use crate::setup::Bench;

const PAGES: usize = 1_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("live/one-read") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_live_one_read")?;
    let mut conn = model::writer(&url)?;
    batch((0..200).map(|id| Spot::insert(new(id, 1)))).run(&mut conn)?;
    let hub = model::hub(&url)?;
    let (store, statements) = model::store(&hub, &url)?;
    let query = || Spot::live().filter(|s| s.org_id.eq(1)).order(|s| s.rank.asc()).limit(50);
    let opening: Vec<_> = (0..PAGES).map(|_| store.open(query())).collect();
    let open = opening.into_iter().map(|page| page.wait(WAIT)).collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(open.iter().all(|page| page.get().len() == 50));
    // One statement for the rows, and one for the marker behind them.
    let statements = statements.load(Ordering::Relaxed);
    let detail =
        format!("{PAGES} pages open on one query; the row is the number of statements, with the marker");
    report.row("live/one-read", statements as f64, 2.0, "at most", detail);
    Ok(())
}
