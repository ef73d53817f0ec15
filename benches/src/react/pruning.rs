//! Measures how long a writer waits while a million events are removed from its bus.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::prelude::*;
use evented_diesel::{DomainEvent, DomainEvents, publish};
use evented_react::{MigrationsExt as _, prune};
use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i32 = 1_000_000;

#[derive(DomainEvent, Serialize, Deserialize, Debug)]
#[domain_event(name = "happened", key = number)]
struct Happened {
    number: i32,
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/pruning") {
        return Ok(());
    }
    let url = bench.fresh("bench_react_pruning")?;
    let mut conn = PgConnection::establish(&url)?;
    conn.batch_execute(&Migrations::new().bus::<DomainEvents>().react().up_sql(Database::Postgres))?;
    conn.batch_execute(&format!(
        "INSERT INTO domain_events (id, record_id, action, version, payload, at) \
         SELECT gen_random_uuid(), 'n:' || n, 'happened', 0, '{{\"number\":1}}', now() - interval '1 day' \
         FROM generate_series(1, {EVENTS}) n; ANALYZE domain_events"
    ))?;
    let is_done = AtomicBool::new(false);
    let (longest, writes) = std::thread::scope(|scope| -> anyhow::Result<(Duration, u32)> {
        let writer = scope.spawn(|| -> anyhow::Result<(Duration, u32)> {
            let mut conn = PgConnection::establish(&url)?;
            let (mut longest, mut writes) = (Duration::ZERO, 0);
            while !is_done.load(Ordering::Relaxed) {
                let began = Instant::now();
                publish(Happened { number: 1 }).run(&mut conn)?;
                longest = longest.max(began.elapsed());
                writes += 1;
            }
            Ok((longest, writes))
        });
        let removed = prune::<DomainEvents>(Duration::from_secs(3_600)).run(&mut conn);
        is_done.store(true, Ordering::Relaxed);
        anyhow::ensure!(removed?.removed == usize::try_from(EVENTS)?, "not every event was removed");
        writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?
    })?;
    let millis = longest.as_secs_f64() * 1_000.0;
    let detail =
        format!("the longest of {writes} writes, in milliseconds, while {EVENTS} events were removed");
    report.row("react/pruning-longest-wait", millis, 50.0, "at most", detail);
    Ok(())
}
