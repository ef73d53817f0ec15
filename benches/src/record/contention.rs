//! Measures sixteen connections, on one record each, and all on one record.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{Error, EventedDsl as _, Id};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::raw::Texts;
use super::update::raw_update;
use crate::measure::compare;
use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;

const CONNECTIONS: usize = 16;
const EACH: u32 = 60;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/16") {
        return Ok(());
    }
    let url = bench.fresh("bench_contention")?;
    let texts = Texts::read(&url)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut conn = <diesel::PgConnection as diesel::Connection>::establish(&url)?;
    let mut make = || evented_diesel::Run::run(Task::insert(new("task")), &mut conn).map(|task| task.id);
    let own: Vec<Id<Task>> = (0..CONNECTIONS).map(|_| make()).collect::<Result<_, Error>>()?;
    let raw_own: Vec<Id<Task>> = (0..CONNECTIONS).map(|_| make()).collect::<Result<_, Error>>()?;
    let (one, raw_one) = (make()?, make()?);

    let mut ours = runtime.block_on(connect_ours(&url))?;
    let raw = runtime.block_on(connect_raw(&url, &texts))?;
    let operations = EACH * CONNECTIONS as u32;
    let ratio = compare(
        bench.rounds,
        || ours_on(&runtime, &mut ours, |n| own[n]),
        || raw_on(&runtime, &raw, false, |n| raw_own[n].uuid()),
    )?;
    report.at_least("record/16-own-records", 0.7, &ratio, operations);

    let mut rounds = 0_i64;
    let ratio = compare(
        bench.rounds,
        || {
            rounds += 1;
            ours_on(&runtime, &mut ours, |_| one)
        },
        || raw_on(&runtime, &raw, true, |_| raw_one.uuid()),
    )?;
    report.at_least("record/16-one-record", 0.8, &ratio, operations);
    let history = evented_diesel::Run::run(Task::history(one), &mut conn)?;
    let last = history.last().map_or(0, |entry| entry.event.revision());
    anyhow::ensure!(last == rounds * i64::from(operations) + 1, "writes were lost: revision {last}");
    Ok(())
}

async fn connect_ours(url: &str) -> anyhow::Result<Vec<Option<AsyncPgConnection>>> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Some(AsyncPgConnection::establish(url).await?));
    }
    Ok(connections)
}

fn ours_on(
    runtime: &Runtime,
    connections: &mut [Option<AsyncPgConnection>],
    record: impl Fn(usize) -> Id<Task>,
) -> anyhow::Result<()> {
    use evented_diesel::RunAsync;
    runtime.block_on(async {
        let tasks: Vec<_> = connections
            .iter_mut()
            .enumerate()
            .filter_map(|(index, slot)| Some((record(index), slot.take()?)))
            .map(|(id, mut conn)| {
                tokio::spawn(async move {
                    for n in 0..EACH {
                        loop {
                            match Task::execute_on(id, renamed(format!("task {n}"))).run(&mut conn).await {
                                Ok(_) => break,
                                Err(error) if error.is_retryable() => {}
                                Err(error) => return Err(anyhow::Error::from(error)),
                            }
                        }
                    }
                    Ok(conn)
                })
            })
            .collect();
        for (slot, task) in connections.iter_mut().zip(tasks) {
            *slot = Some(task.await??);
        }
        Ok(())
    })
}

struct RawConnection {
    client: tokio_postgres::Client,
    read: tokio_postgres::Statement,
    write: tokio_postgres::Statement,
    lock: tokio_postgres::Statement,
}

async fn connect_raw(url: &str, texts: &Texts) -> anyhow::Result<Vec<std::sync::Arc<RawConnection>>> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let read = client.prepare(&texts.read).await?;
        let write = client.prepare(&texts.update).await?;
        let lock = client.prepare("SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE").await?;
        connections.push(std::sync::Arc::new(RawConnection { client, read, write, lock }));
    }
    Ok(connections)
}

fn raw_on(
    runtime: &Runtime,
    connections: &[std::sync::Arc<RawConnection>],
    locking: bool,
    record: impl Fn(usize) -> Uuid,
) -> anyhow::Result<()> {
    runtime.block_on(async {
        let tasks: Vec<_> = connections
            .iter()
            .cloned()
            .enumerate()
            .map(|(index, conn)| {
                let id = record(index);
                tokio::spawn(async move {
                    for n in 0..EACH {
                        let name = format!("task {n}");
                        if locking {
                            conn.client.batch_execute("BEGIN").await?;
                            conn.client.query_one(&conn.lock, &[&id]).await?;
                        }
                        let done = raw_update(&conn.client, &conn.read, &conn.write, id, &name).await?;
                        anyhow::ensure!(done, "a raw write was lost");
                        if locking {
                            conn.client.batch_execute("COMMIT").await?;
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}
