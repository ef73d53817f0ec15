//! Measures handlers that update 200 shared rows, beside a transaction for each event.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::stream::LogReader;
use evented_react::{Change, Delivery, Failure};

use super::model;
use crate::measure::compare;
use crate::react::model::Comment;
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i32 = 5_000;
const ROWS: i32 = 200;

/// Updates the row that comments of all keys share.
fn update(comment: Delivery<'_, Change<Comment>>, conn: &mut PgConnection) -> Result<(), Failure> {
    let Some(now) = comment.after() else { return Ok(()) };
    update_row(now.id, conn)?;
    Ok(())
}

fn update_row(id: i32, conn: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query("UPDATE counts SET comments = comments + 1 WHERE post_id = $1")
        .bind::<diesel::sql_types::Integer, _>(id.wrapping_mul(7_919) % ROWS)
        .execute(conn)
}

/// Reads the log, and updates the row of each event in a transaction of its own.
fn one_by_one(url: &str) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(url)?;
    let mut reader = LogReader::<Comment>::from_start();
    loop {
        let page = reader.page().run(&mut conn)?;
        for change in page.changes {
            if let Some(comment) = change?.after() {
                update_row(comment.id, &mut conn)?;
            }
        }
        if !page.more {
            return Ok(());
        }
    }
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/shared-rows") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_shared")?;
    model::fill(&url, EVENTS, 1_000)?;
    PgConnection::establish(&url)?
        .batch_execute(&format!("INSERT INTO counts SELECT n, 0 FROM generate_series(0, {ROWS}) n"))?;
    let events = EVENTS.unsigned_abs();
    let ratio = compare(
        bench.rounds.min(3),
        || model::handle_all(&url, model::subscriber(update), events.into()),
        || one_by_one(&url),
    )?;
    report.at_least("react/shared-rows-beside-one-by-one", 1.0, &ratio, events);
    Ok(())
}
