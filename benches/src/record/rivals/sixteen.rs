//! Sixteen connections at once, on a record each and all on one.

use std::sync::Arc;

use diesel::{Connection, PgConnection};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{EventedDsl as _, Id, Run, RunAsync};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::plain_log::PlainLog;
use super::{ASYNC, BLOCKING, NAME, PLAIN, SHORT_ROUNDS, compare_with_plain};
use crate::measure::Contest;
use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;

const CONNECTIONS: usize = 16;
const EACH: u32 = 15;
const OPERATIONS: u32 = EACH * CONNECTIONS as u32;
const LOCKED: &str = "plain log, lock first";

/// The connections of all contestants.
struct Connections {
    plain: Vec<Arc<PlainLog>>,
    blocking: Vec<PgConnection>,
    asynchronous: Vec<AsyncPgConnection>,
}

pub(super) fn run(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let mut all = Connections { plain: Vec::new(), blocking: Vec::new(), asynchronous: Vec::new() };
    for _ in 0..CONNECTIONS {
        all.plain.push(Arc::new(runtime.block_on(PlainLog::connect(url))?));
        all.blocking.push(PgConnection::establish(url)?);
        all.asynchronous.push(runtime.block_on(AsyncPgConnection::establish(url))?);
    }
    let mut make = || Run::run(Task::insert(new(NAME)), &mut all.blocking[0]).map(|task| task.id);
    let ours = (0..2 * CONNECTIONS).map(|_| make()).collect::<Result<Vec<Id<Task>>, _>>()?;
    let make = |_| runtime.block_on(all.plain[0].create(NAME));
    let plain = (0..2 * CONNECTIONS).map(make).collect::<Result<Vec<Uuid>, _>>()?;

    let Connections { plain: plain_conns, blocking, asynchronous } = &mut all;
    for (name, aim, shared) in [("16-own-records", 0.8, false), ("16-one-record", 1.4, true)] {
        // Which of the records a connection writes.
        let of = |n: usize| if shared { 0 } else { n };
        let mut contest = Contest::default();
        contest.add(PLAIN, || on_plain(runtime, plain_conns, false, |n| plain[of(n)]));
        contest.add(LOCKED, || on_plain(runtime, plain_conns, true, |n| plain[CONNECTIONS + of(n)]));
        contest.add(BLOCKING, || on_threads(blocking, |n| ours[of(n)]));
        contest.add(ASYNC, || on_tasks(runtime, asynchronous, |n| ours[CONNECTIONS + of(n)]));
        let times = contest.run(bench.rounds * SHORT_ROUNDS)?;
        compare_with_plain(report, name, aim, &times, OPERATIONS);
        if let Some(ratio) = times.ratio(LOCKED, PLAIN) {
            report
                .note(format!("{name}: {LOCKED}, has {:.2} of the rate of the {PLAIN}", 1.0 / ratio.median));
        }
    }
    Ok(())
}

fn on_plain(
    runtime: &Runtime,
    connections: &[Arc<PlainLog>],
    locked: bool,
    record: impl Fn(usize) -> Uuid,
) -> anyhow::Result<()> {
    let one = |(n, conn): (usize, &Arc<PlainLog>)| {
        let (conn, id) = (Arc::clone(conn), record(n));
        runtime.spawn(async move {
            for n in 0..EACH {
                let name = format!("task {n}");
                if locked { conn.update_locked(id, &name).await? } else { conn.update(id, &name).await? }
            }
            Ok::<_, tokio_postgres::Error>(())
        })
    };
    let tasks: Vec<_> = connections.iter().enumerate().map(one).collect();
    runtime.block_on(async {
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}

fn on_threads(connections: &mut [PgConnection], record: impl Fn(usize) -> Id<Task>) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = connections
            .iter_mut()
            .enumerate()
            .map(|(n, conn)| {
                let id = record(n);
                scope.spawn(move || {
                    for n in 0..EACH {
                        Run::run(Task::execute_on(id, renamed(format!("task {n}"))), conn)?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a panic"))?)
    })
}

fn on_tasks(
    runtime: &Runtime,
    connections: &mut Vec<AsyncPgConnection>,
    record: impl Fn(usize) -> Id<Task>,
) -> anyhow::Result<()> {
    let one = |(n, mut conn): (usize, AsyncPgConnection)| {
        let id = record(n);
        runtime.spawn(async move {
            for n in 0..EACH {
                RunAsync::run(Task::execute_on(id, renamed(format!("task {n}"))), &mut conn).await?;
            }
            anyhow::Ok(conn)
        })
    };
    let tasks: Vec<_> = connections.drain(..).enumerate().map(one).collect();
    runtime.block_on(async {
        for task in tasks {
            connections.push(task.await??);
        }
        Ok(())
    })
}
