//! The state of a record with ten thousand events, from its events.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::prelude::*;
use evented_diesel::{Run, RunAsync, batch};
use serde::Deserialize;
use tokio::runtime::Runtime;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::plain_log::PlainLog;
use super::{ASYNC, BLOCKING, EVENTS, NAME, PLAIN, SHORT_ROUNDS, compare_with_plain};
use crate::measure::Contest;
use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;

/// A payload of the plain log.
#[derive(Deserialize)]
struct Payload {
    name: Option<String>,
    done: Option<bool>,
}

pub(super) fn run(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let plain = runtime.block_on(PlainLog::connect(url))?;
    let mut blocking = PgConnection::establish(url)?;
    let mut asynchronous = runtime.block_on(AsyncPgConnection::establish(url))?;
    let record = runtime.block_on(plain.create(NAME))?;
    blocking.batch_execute(&format!(
        "INSERT INTO plain_log (record, revision, action, payload)
         SELECT '{record}', n, 'update', json_build_object('name', 'name ' || n) FROM generate_series(2, {EVENTS}) n"
    ))?;
    let task = Run::run(Task::insert(new(NAME)), &mut blocking)?;
    for part in 0..10 {
        let commands = (0..EVENTS / 10).map(|n| task.update(renamed(format!("name {part} {n}"))));
        Run::run(batch(commands), &mut blocking)?;
    }
    blocking.batch_execute("VACUUM ANALYZE tasks_events")?;
    blocking.batch_execute("VACUUM ANALYZE plain_log")?;
    let select = "SELECT revision, action, payload FROM plain_log WHERE record = $1 ORDER BY revision";
    let select = runtime.block_on(plain.client.prepare(select))?;
    let mut contest = Contest::default();
    contest.add(PLAIN, || {
        let rows = runtime.block_on(plain.client.query(&select, &[&record]))?;
        let mut state = (record, String::new(), false);
        for row in &rows {
            let (revision, action): (i64, &str) = (row.get(0), row.get(1));
            let Json(payload): Json<Payload> = row.get(2);
            anyhow::ensure!(revision > 0 && !action.is_empty(), "no event");
            state.1 = payload.name.unwrap_or(state.1);
            state.2 = payload.done.unwrap_or(state.2);
        }
        let _: (Uuid, String, bool) = std::hint::black_box(state);
        Ok(())
    });
    contest.add(BLOCKING, || {
        anyhow::ensure!(Run::run(Task::replay(task.id), &mut blocking)?.is_some(), "the task is gone");
        Ok(())
    });
    contest.add(ASYNC, || {
        let replayed = runtime.block_on(RunAsync::run(Task::replay(task.id), &mut asynchronous))?;
        anyhow::ensure!(replayed.is_some(), "the task is gone");
        Ok(())
    });
    let times = contest.run(bench.rounds * SHORT_ROUNDS)?;
    compare_with_plain(report, "replay", 0.85, &times, EVENTS);
    Ok(())
}
