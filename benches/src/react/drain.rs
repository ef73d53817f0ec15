//! Measures a handler that writes one row for each of 20,000 events, beside job tables.

use anyhow::Context as _;
use diesel::prelude::*;
use evented_react::{Change, Delivery, Failure};

use super::{job_table, model};
use crate::measure::Contest;
use crate::react::model::Comment;
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i32 = 20_000;

/// Writes a row for a comment.
pub(super) fn effect(comment: Delivery<'_, Change<Comment>>, conn: &mut PgConnection) -> Result<(), Failure> {
    let Some(now) = comment.after() else { return Ok(()) };
    diesel::sql_query("INSERT INTO effects (comment) VALUES ($1)")
        .bind::<diesel::sql_types::Integer, _>(now.id)
        .execute(conn)?;
    Ok(())
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/drain") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_drain")?;
    job_table::create(&url)?;
    model::fill(&url, EVENTS, 1_000)?;
    let mut contest = Contest::default();
    contest.add("worker", || {
        model::handle_all(&url, model::subscriber(effect), u64::from(EVENTS.unsigned_abs()))
    });
    for (name, size) in [("one by one", 1), ("by 50", 50)] {
        let url = &url;
        contest.add(name, move || {
            job_table::fill(url)?;
            job_table::handle_all(url, size)
        });
    }
    let times = contest.run(bench.rounds.min(3))?;
    let events = EVENTS.unsigned_abs();
    report.at_least(
        "react/drain-beside-one-by-one",
        3.0,
        &times.ratio("worker", "one by one").context("no round")?,
        events,
    );
    report.at_least(
        "react/drain-beside-by-50",
        1.3,
        &times.ratio("worker", "by 50").context("no round")?,
        events,
    );
    Ok(())
}
