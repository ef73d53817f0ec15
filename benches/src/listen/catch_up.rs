//! Measures catching up with a log, against only selecting and decoding the same rows.

use diesel::prelude::*;
use evented_diesel::stream::LogReader;
use evented_diesel::{Event, EventedDsl as _, Run, batch};

use super::model::{self, Job, jobs_events, new, renamed};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

const JOBS: i32 = 20_000;
const UPDATES: u32 = 4;
const EVENTS: u32 = JOBS.unsigned_abs() * (1 + UPDATES);
const PAGE: u16 = 1_000;

macro_rules! fill {
    ($conn:ident) => {
        for part in 0..JOBS / 2_000 {
            let some =
                batch((0..2_000).map(|n| Job::insert(new(part, format!("job {n}"))))).run(&mut $conn)?;
            for round in 0..UPDATES {
                batch(some.iter().map(|job| job.update(renamed(format!("round {round}")))))
                    .run(&mut $conn)?;
            }
        }
    };
}

macro_rules! catch_up {
    ($conn:ident) => {{
        let mut reader = LogReader::<Job>::from_start().page_size(PAGE);
        let mut seen = 0;
        loop {
            let page = reader.page().run(&mut $conn)?;
            for change in &page.changes {
                seen += u32::from(std::hint::black_box(change).is_ok());
            }
            if !page.more {
                break;
            }
        }
        anyhow::ensure!(seen == EVENTS, "{seen} changes");
        Ok(())
    }};
}

macro_rules! select_and_decode {
    ($conn:ident, $select:ident) => {{
        let (mut after, mut seen) = ((0, 0), 0);
        loop {
            let events: Vec<Event<Job>> = $select(after).load(&mut $conn)?;
            let Some(last) = events.last() else { break };
            after = (last.txid(), last.log_position());
            for event in &events {
                std::hint::black_box(event.decode()?);
                seen += 1;
            }
        }
        anyhow::ensure!(seen == EVENTS, "{seen} events");
        Ok(())
    }};
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("listen/catch-up-postgres") {
        let url = model::postgres(bench, "bench_listen_catch_up")?;
        let mut conn = PgConnection::establish(&url)?;
        diesel::sql_query("SET synchronous_commit = off").execute(&mut conn)?;
        fill!(conn);
        diesel::sql_query("VACUUM ANALYZE jobs_events").execute(&mut conn)?;
        let mut other = PgConnection::establish(&url)?;
        let select = |after: (i64, i64)| {
            jobs_events::table
                .filter(
                    diesel::dsl::sql::<diesel::sql_types::Bool>("(txid, position) > (")
                        .bind::<diesel::sql_types::BigInt, _>(after.0)
                        .sql(", ")
                        .bind::<diesel::sql_types::BigInt, _>(after.1)
                        .sql(")"),
                )
                .order((jobs_events::txid, jobs_events::position))
                .limit(i64::from(PAGE))
                .select(Event::<Job>::as_select())
        };
        let ratio = compare(bench.rounds, || catch_up!(conn), || select_and_decode!(other, select))?;
        report.at_least("listen/catch-up-postgres", 0.7, &ratio, EVENTS);
    }
    if bench.wants("listen/catch-up-sqlite") {
        let folder = tempfile::tempdir()?;
        let path = model::sqlite(folder.path())?;
        let mut conn = SqliteConnection::establish(&path)?;
        fill!(conn);
        let mut other = SqliteConnection::establish(&path)?;
        let select = |after: (i64, i64)| {
            jobs_events::table
                .filter(jobs_events::position.gt(after.1))
                .order(jobs_events::position)
                .limit(i64::from(PAGE))
                .select(Event::<Job>::as_select())
        };
        let ratio = compare(bench.rounds, || catch_up!(conn), || select_and_decode!(other, select))?;
        report.at_least("listen/catch-up-sqlite", 0.7, &ratio, EVENTS);
    }
    Ok(())
}
