//! Measures a late subscriber whose handler does nothing, beside a bare `LogReader`.

use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::stream::LogReader;

use super::model;
use crate::measure::compare;
use crate::react::model::Comment;
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i32 = 100_000;

fn read(url: &str) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(url)?;
    let mut reader = LogReader::<Comment>::from_start();
    loop {
        let page = reader.page().run(&mut conn)?;
        std::hint::black_box(&page.changes);
        if !page.more {
            return Ok(());
        }
    }
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/late") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_late")?;
    model::fill(&url, EVENTS, 1_000)?;
    let events = EVENTS.unsigned_abs();
    let ratio = compare(
        bench.rounds.min(5),
        || model::handle_all(&url, model::subscriber(|_, _| Ok(())), events.into()),
        || read(&url),
    )?;
    report.at_least("react/late-beside-a-reader", 0.5, &ratio, events);
    Ok(())
}
