//! Measures long histories: their cost for a write, and the speed of their replay.

use std::time::Instant;

use diesel::prelude::*;
use evented_diesel::{Evented, EventedDsl as _, Run, batch};

use crate::measure::compare;
use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;

const OPERATIONS: u32 = 300;
const EVENTS: u32 = 10_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/history") && !bench.wants("record/replay") {
        return Ok(());
    }
    let url = bench.fresh("bench_history")?;
    let mut conn = PgConnection::establish(&url)?;
    let long = Task::insert(new("long")).run(&mut conn)?;
    // Enough records that none gets a long history through the measurement.
    let short = batch((0..OPERATIONS).map(|_| Task::insert(new("short")))).run(&mut conn)?;
    for part in 0..10 {
        let commands = (0..EVENTS / 10).map(|n| long.update(renamed(format!("name {part} {n}"))));
        batch(commands).run(&mut conn)?;
    }
    for n in 0..9 {
        batch(short.iter().map(|task| task.update(renamed(format!("name {n}"))))).run(&mut conn)?;
    }
    diesel::sql_query("ANALYZE").execute(&mut conn)?;
    replay(bench, report, &mut conn, &long)?;

    let mut other = PgConnection::establish(&url)?;
    let (mut n, mut m) = (0, 0);
    let ratio = compare(
        bench.rounds,
        || {
            for _ in 0..OPERATIONS {
                n += 1;
                long.update(renamed(format!("new {n}"))).run(&mut conn)?;
            }
            Ok(())
        },
        || {
            for _ in 0..OPERATIONS {
                m += 1;
                short[m as usize % short.len()].update(renamed(format!("new {m}"))).run(&mut other)?;
            }
            Ok(())
        },
    )?;
    report.at_most("record/history-10000", 1.1, &ratio, OPERATIONS);
    Ok(())
}

#[derive(serde::Deserialize)]
struct Payload {
    name: Option<String>,
}

/// The same rows, only selected and decoded.
#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct Columns {
    #[diesel(sql_type = evented_diesel::sql_types::JsonText)]
    payload: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    position: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    txid: i64,
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    id: uuid::Uuid,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    revision: i64,
    #[diesel(sql_type = diesel::sql_types::Text)]
    action: String,
    #[diesel(sql_type = diesel::sql_types::SmallInt)]
    version: i16,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    at: chrono::DateTime<chrono::Utc>,
    #[diesel(sql_type = diesel::sql_types::Binary)]
    state: Vec<u8>,
}

fn replay(bench: &Bench, report: &mut Report, conn: &mut PgConnection, task: &Task) -> anyhow::Result<()> {
    let mut other = PgConnection::establish(&bench.url)?;
    diesel::sql_query("SET search_path = bench_history").execute(&mut other)?;
    let select = "SELECT e.position, e.txid, e.id, e.revision, e.action, e.version, e.payload, e.meta, e.at, e.state \
                  FROM tasks_events e WHERE e.record_id = $1 ORDER BY e.revision";
    let ratio = compare(
        bench.rounds,
        || {
            let task = Task::replay(task.id).run(conn)?;
            anyhow::ensure!(task.is_some(), "the task is gone");
            Ok(())
        },
        || {
            let query = diesel::sql_query(select).bind::<diesel::sql_types::Uuid, _>(task.id.uuid());
            let rows: Vec<Columns> = query.load(&mut other)?;
            let mut length = 0;
            for row in &rows {
                let payload: Payload = serde_json::from_str(&row.payload)?;
                length += payload.name.map_or(0, |name| name.len());
                std::hint::black_box((
                    row.position,
                    row.txid,
                    row.id,
                    row.revision,
                    &row.action,
                    row.version,
                ));
                std::hint::black_box((row.at, &row.state));
            }
            anyhow::ensure!(length > 0, "no names");
            Ok(())
        },
    )?;
    report.at_least("record/replay", 0.8, &ratio, EVENTS);

    let events: Vec<_> =
        Task::history(task.id).run(conn)?.into_iter().map(|entry| entry.event.data().clone()).collect();
    let start = Instant::now();
    let rounds = 50;
    for _ in 0..rounds {
        let mut replay = evented_core::Replay::<Task>::new(task.id);
        for event in &events {
            replay.apply(event)?;
        }
        std::hint::black_box(replay.state());
    }
    let rate = f64::from(rounds) * events.len() as f64 / start.elapsed().as_secs_f64();
    report.note(format!("replay from memory: {:.2} million events/s of {}", rate / 1e6, Task::SCHEMA));
    Ok(())
}
