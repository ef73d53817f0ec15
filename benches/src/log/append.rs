//! Measures appending to a hashed log, against a log without hashes.

use std::thread;

use diesel::prelude::*;
use evented_diesel::{Error, EventedDsl as _, Run};

use super::models::{fresh, hashed, plain};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

const OPERATIONS: u32 = 400;
const WRITERS: usize = 8;
const EACH: u32 = 100;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/append") {
        return Ok(());
    }
    let url = fresh(bench, "bench_log_append")?;
    let (mut one, mut other) = (PgConnection::establish(&url)?, PgConnection::establish(&url)?);
    let ratio = compare(
        bench.rounds,
        || {
            let task = hashed::Task::insert(hashed::new("task")).run(&mut one)?;
            for n in 1..OPERATIONS {
                task.update(hashed::renamed(format!("name {n}"))).run(&mut one)?;
            }
            Ok(())
        },
        || {
            let task = plain::Task::insert(plain::new("task")).run(&mut other)?;
            for n in 1..OPERATIONS {
                task.update(plain::renamed(format!("name {n}"))).run(&mut other)?;
            }
            Ok(())
        },
    )?;
    report.at_most("log/append-hashed", 1.15, &ratio, OPERATIONS);

    let connect = || -> anyhow::Result<Vec<PgConnection>> {
        (0..WRITERS).map(|_| Ok(PgConnection::establish(&url)?)).collect()
    };
    let (mut ours, mut baseline) = (connect()?, connect()?);
    let ratio = compare(
        bench.rounds,
        || {
            at_once(&mut ours, |conn| {
                let task = hashed::Task::insert(hashed::new("task")).run(conn)?;
                for n in 1..EACH {
                    task.update(hashed::renamed(format!("name {n}"))).run(conn)?;
                }
                Ok(())
            })
        },
        || {
            at_once(&mut baseline, |conn| {
                let task = plain::Task::insert(plain::new("task")).run(conn)?;
                for n in 1..EACH {
                    task.update(plain::renamed(format!("name {n}"))).run(conn)?;
                }
                Ok(())
            })
        },
    )?;
    report.at_least("log/append-8-writers", 0.9, &ratio, EACH * WRITERS as u32);
    Ok(())
}

/// Runs concurrent writers, each on its own record.
fn at_once(
    conns: &mut [PgConnection],
    work: impl Fn(&mut PgConnection) -> Result<(), Error> + Sync,
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let writers: Vec<_> = conns.iter_mut().map(|conn| scope.spawn(|| work(conn))).collect();
        for writer in writers {
            writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        Ok(())
    })
}
