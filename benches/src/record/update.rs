//! Measures updates, against the library's statements run by a plain client.

use diesel::{Connection, PgConnection};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::EventedDsl as _;
use uuid::Uuid;

use super::raw::{Texts, Values};
use crate::measure::compare;
use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;
use crate::update_params;

const OPERATIONS: u32 = 400;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/update") {
        return Ok(());
    }
    let url = bench.fresh("bench_update")?;
    let texts = Texts::read(&url)?;
    blocking(bench, report, &url, &texts)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    asynchronous(bench, report, &url, &texts, &runtime)
}

fn blocking(bench: &Bench, report: &mut Report, url: &str, texts: &Texts) -> anyhow::Result<()> {
    use evented_diesel::Run;
    let mut ours = PgConnection::establish(url)?;
    let mut client = postgres::Client::connect(url, postgres::NoTls)?;
    let task = Task::insert(new("task")).run(&mut ours)?;
    let third = Task::insert(new("task")).run(&mut ours)?;
    let mut n = 0;
    let update = || {
        for _ in 0..OPERATIONS {
            n += 1;
            task.update(renamed(format!("task {n}"))).run(&mut ours)?;
        }
        Ok(())
    };
    let (read, write) = (client.prepare(&texts.read)?, client.prepare(&texts.update)?);
    let id = third.id.uuid();
    let mut n = 0;
    let ratio = compare(bench.rounds, update, || {
        for _ in 0..OPERATIONS {
            n += 1;
            let name = format!("task {n}");
            let row = client.query_one(&read, &[&id, &id])?;
            let (revision, version): (i64, String) = (row.get(0), row.get(4));
            let _: (Vec<u8>, Uuid, String, bool) = (row.get(2), row.get(5), row.get(6), row.get(7));
            let values = Values::new(&name);
            let revision = revision + 1;
            let row = client.query_one(&write, update_params!(values, id, version, revision, name))?;
            let _: (i64, i64, Uuid, String, bool) =
                (row.get(0), row.get(1), row.get(3), row.get(4), row.get(5));
        }
        Ok(())
    })?;
    report.at_most("record/update-sync-raw", 1.25, &ratio, OPERATIONS);
    Ok(())
}

fn asynchronous(
    bench: &Bench,
    report: &mut Report,
    url: &str,
    texts: &Texts,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<()> {
    use evented_diesel::RunAsync;
    let mut ours = runtime.block_on(AsyncPgConnection::establish(url))?;
    let (client, connection) = runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls))?;
    runtime.spawn(connection);
    let make = |conn: &mut AsyncPgConnection| runtime.block_on(Task::insert(new("task")).run(conn));
    let (task, third) = (make(&mut ours)?, make(&mut ours)?);
    let mut n = 0;
    let update = || {
        runtime.block_on(async {
            for _ in 0..OPERATIONS {
                n += 1;
                task.update(renamed(format!("task {n}"))).run(&mut ours).await?;
            }
            Ok(())
        })
    };
    let (read, write) = runtime.block_on(async {
        anyhow::Ok((client.prepare(&texts.read).await?, client.prepare(&texts.update).await?))
    })?;
    let id = third.id.uuid();
    let mut n = 0;
    let ratio = compare(bench.rounds, update, || {
        runtime.block_on(async {
            for _ in 0..OPERATIONS {
                n += 1;
                raw_update(&client, &read, &write, id, &format!("task {n}")).await?;
            }
            Ok(())
        })
    })?;
    report.at_most("record/update-async-raw", 1.25, &ratio, OPERATIONS);
    Ok(())
}

/// Runs one update with the library's two statements. Returns whether the row was still as it was read when the write
/// ran.
pub(crate) async fn raw_update(
    client: &tokio_postgres::Client,
    read: &tokio_postgres::Statement,
    write: &tokio_postgres::Statement,
    id: Uuid,
    name: &str,
) -> anyhow::Result<bool> {
    let row = client.query_one(read, &[&id, &id]).await?;
    let (revision, version): (i64, String) = (row.get(0), row.get(4));
    let _: (Vec<u8>, Uuid, String, bool) = (row.get(2), row.get(5), row.get(6), row.get(7));
    let values = Values::new(name);
    let revision = revision + 1;
    let row = client.query_one(write, update_params!(values, id, version, revision, name)).await?;
    let position: Option<i64> = row.get(1);
    if position.is_some() {
        let _: (Uuid, String, bool) = (row.get(3), row.get(4), row.get(5));
    }
    Ok(position.is_some())
}
