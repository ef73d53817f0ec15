//! Measures creates, against one raw statement that does both inserts, and against pgbench with the same statement.

use std::time::Instant;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{EventedDsl as _, RunAsync};
use uuid::Uuid;

use super::raw::{Texts, Values};
use crate::create_params;
use crate::measure::compare;
use crate::model::{Task, new};
use crate::report::Report;
use crate::setup::Bench;

const OPERATIONS: u32 = 500;
const CLIENTS: u32 = 8;
const SECONDS: u32 = 3;
const SCRIPT: &str = include_str!("../../pgbench/create.sql");
const NAME: &str = "write the report";

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/create") {
        return Ok(());
    }
    let url = bench.fresh("bench_create")?;
    let texts = Texts::read(&url)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut ours = runtime.block_on(AsyncPgConnection::establish(&url))?;
    let (client, connection) = runtime.block_on(tokio_postgres::connect(&url, tokio_postgres::NoTls))?;
    runtime.spawn(connection);
    let statement = runtime.block_on(client.prepare(&texts.create))?;
    let mut raw = || {
        runtime.block_on(async {
            for _ in 0..OPERATIONS {
                let values = Values::new(NAME);
                let row = client.query_one(&statement, create_params!(values, NAME)).await?;
                let _: (i64, i64, i64, Uuid, String, bool) =
                    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5));
            }
            anyhow::Ok(())
        })
    };
    let ratio = compare(
        bench.rounds,
        || {
            runtime.block_on(async {
                for _ in 0..OPERATIONS {
                    Task::insert(new(NAME)).run(&mut ours).await?;
                }
                Ok(())
            })
        },
        &mut raw,
    )?;
    report.at_most("record/create", 1.2, &ratio, OPERATIONS);

    // The plain client must be as fast as PostgreSQL's own client, or the comparison is meaningless.
    let mut shares = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        for _ in 0..6 {
            raw()?;
        }
        let raw_rate = f64::from(OPERATIONS * 6) / start.elapsed().as_secs_f64();
        shares.push(raw_rate / bench.pgbench(&url, SCRIPT, 1, SECONDS)?);
    }
    shares.sort_by(f64::total_cmp);
    let share = shares[1];
    report.note(format!("raw client against pgbench, one connection: {share:.2} (valid from 0.8 to 1.2)"));
    anyhow::ensure!((0.8..=1.2).contains(&share), "the run is void: the raw client is {share:.2} of pgbench");

    let mut shares = Vec::new();
    for _ in 0..3 {
        let rate = many(&runtime, &url)?;
        shares.push(rate / bench.pgbench(&url, SCRIPT, CLIENTS, SECONDS)?);
    }
    shares.sort_by(f64::total_cmp);
    let detail = format!("{:.2} to {:.2}", shares[0], shares[2]);
    report.row("record/create-8-connections", shares[1], 0.7, "at least", detail);
    Ok(())
}

/// Returns the creates per second over several connections.
fn many(runtime: &tokio::runtime::Runtime, url: &str) -> anyhow::Result<f64> {
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..CLIENTS {
            let mut conn = AsyncPgConnection::establish(url).await?;
            Task::insert(new(NAME)).run(&mut conn).await?;
            connections.push(conn);
        }
        let start = Instant::now();
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|mut conn| {
                tokio::spawn(async move {
                    let mut done = 0_u32;
                    while start.elapsed().as_secs() < u64::from(SECONDS) {
                        Task::insert(new(NAME)).run(&mut conn).await?;
                        done += 1;
                    }
                    anyhow::Ok(done)
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await??;
        }
        Ok(f64::from(done) / start.elapsed().as_secs_f64())
    })
}
