//! A batch of ten thousand creates, against an insert of both tables from arrays.

use diesel::{Connection, PgConnection};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{EventedDsl as _, Run, RunAsync, batch};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::plain_log::PlainLog;
use super::{ASYNC, BLOCKING, PLAIN, compare_with_plain};
use crate::measure::Contest;
use crate::model::{Task, new};
use crate::report::Report;
use crate::setup::Bench;

const ROWS: u32 = 10_000;

pub(super) fn run(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let plain = runtime.block_on(PlainLog::connect(url))?;
    let mut blocking = PgConnection::establish(url)?;
    let mut asynchronous = runtime.block_on(AsyncPgConnection::establish(url))?;
    let rows = "WITH rows AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) AS t (id, name, payload)), \
         l AS (INSERT INTO plain_log (record, revision, action, payload) SELECT id, 1, 'insert', payload FROM rows) \
         INSERT INTO plain_tasks (id, name, done) SELECT id, name, false FROM rows RETURNING id, name, done";
    let insert = runtime.block_on(plain.client.prepare(rows))?;
    let commands = || batch((0..ROWS).map(|n| Task::insert(new(format!("task {n}")))));
    let mut contest = Contest::default();
    contest.add(PLAIN, || {
        let names: Vec<String> = (0..ROWS).map(|n| format!("task {n}")).collect();
        let ids: Vec<Uuid> = names.iter().map(|_| Uuid::now_v7()).collect();
        let payloads: Vec<_> = names.iter().map(|name| serde_json::json!({ "name": name })).collect();
        let rows = runtime.block_on(plain.client.query(&insert, &[&ids, &names, &payloads]))?;
        let made = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2)));
        let made: Vec<(Uuid, String, bool)> = made.collect();
        anyhow::ensure!(made.len() == ROWS as usize, "not all were made");
        Ok(())
    });
    contest.add(BLOCKING, || {
        anyhow::ensure!(Run::run(commands(), &mut blocking)?.len() == ROWS as usize, "not all were made");
        Ok(())
    });
    contest.add(ASYNC, || {
        let made = runtime.block_on(RunAsync::run(commands(), &mut asynchronous))?;
        anyhow::ensure!(made.len() == ROWS as usize, "not all were made");
        Ok(())
    });
    let times = contest.run(bench.rounds)?;
    compare_with_plain(report, "batch-10000", 0.7, &times, ROWS);
    Ok(())
}
