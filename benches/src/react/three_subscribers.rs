//! Measures 20,000 domain events for three subscribers, beside tables with a job for each event and subscriber.
//!
//! The time is that from the start of the workers until each subscriber has handled each event. The events are published
//! meanwhile, on one connection. A job table has no row of the event itself: each job contains the event.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::{DomainEvent, DomainEvents, Run as _, publish_all};
use evented_react::{Delivery, DomainEventExt as _, Failure, MigrationsExt as _, Subscriber, Worker};
use serde::{Deserialize, Serialize};

use super::{job_table, model};
use crate::measure::{Contest, Times};
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i32 = 20_000;
const SUBSCRIBERS: [&str; 3] = ["stock", "invoices", "mails"];
/// How many events a transaction publishes.
const PUBLISHED: usize = 100;
/// How many jobs a worker claims at a time. With 50, 300 or 1,000 the job tables take about as long, or longer.
const CLAIMED: i64 = 100;
/// How long the jobs of a round may take.
const LONGEST: Duration = Duration::from_secs(600);

const WORKER: &str = "worker";
const ONE_INDEX: &str = "job rows with one index";
const LIKE_OBANS: &str = "job rows like Oban's";

diesel::table! {
    effects (id) {
        id -> BigInt,
        comment -> Integer,
    }
}

/// An order was placed.
#[derive(DomainEvent, Serialize, Deserialize, Debug)]
#[domain_event(name = "order_placed", key = order)]
struct OrderPlaced {
    order: i32,
    total: i32,
}

/// What each subscriber does with an event, in the transaction that also stores that the event was handled.
type Handle = fn(&OrderPlaced, &mut PgConnection) -> QueryResult<()>;

fn nothing(placed: &OrderPlaced, _: &mut PgConnection) -> QueryResult<()> {
    std::hint::black_box(placed);
    Ok(())
}

/// Writes a row. Diesel prepares the statement once for a connection.
fn write_row(placed: &OrderPlaced, conn: &mut PgConnection) -> QueryResult<()> {
    diesel::insert_into(effects::table).values(effects::comment.eq(placed.order)).execute(conn)?;
    Ok(())
}

/// Returns how many deliveries there are in a round.
fn deliveries() -> u64 {
    u64::from(EVENTS.unsigned_abs()) * SUBSCRIBERS.len() as u64
}

/// Passes all events to `publish`, as many at a time as a transaction publishes.
fn in_transactions(mut publish: impl FnMut(Vec<OrderPlaced>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut orders = 0..EVENTS;
    loop {
        let some: Vec<_> = orders
            .by_ref()
            .take(PUBLISHED)
            .map(|order| OrderPlaced { order, total: order % 1_000 })
            .collect();
        if some.is_empty() {
            return Ok(());
        }
        publish(some)?;
    }
}

/// Publishes the events on a bus, with a worker that serves three new subscribers.
fn on_bus(url: &str, handle: Handle) -> anyhow::Result<()> {
    let mut worker = Worker::new().concurrency(8);
    for name in SUBSCRIBERS {
        let name = format!("{name}, {}", model::fresh_name());
        let handler = move |placed: Delivery<'_, OrderPlaced>, conn: &mut PgConnection| {
            handle(&placed, conn)?;
            Ok::<_, Failure>(())
        };
        worker = worker.subscribe(Subscriber::new(name).on(OrderPlaced::events(), handler));
    }
    let of_worker = url.to_owned();
    let worker = worker.start(move || PgConnection::establish(&of_worker))?;
    let mut conn = PgConnection::establish(url)?;
    in_transactions(|some| {
        publish_all(some).run(&mut conn)?;
        Ok(())
    })?;
    model::finish(worker, deliveries())
}

/// A table of jobs, by its statements.
#[derive(Clone, Copy)]
struct Jobs {
    create: &'static str,
    empty: &'static str,
    /// Inserts a job for each of the arguments (`$1`) and each subscriber (`$2`).
    insert: &'static str,
    /// Claims at most `$1` jobs, of all subscribers.
    claim: &'static str,
    /// Completes the jobs with these ids.
    complete: &'static str,
}

/// The smallest table: a row is deleted when its job is done.
const JOB_ROWS: Jobs = Jobs {
    create: "CREATE TABLE jobs (id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, subscriber TEXT NOT NULL, \
             args JSONB NOT NULL, state TEXT NOT NULL DEFAULT 'available'); \
             CREATE INDEX ON jobs (id) WHERE state = 'available'",
    empty: "TRUNCATE jobs",
    insert: "INSERT INTO jobs (subscriber, args) SELECT subscriber, args FROM unnest($1) AS args, unnest($2) AS subscriber",
    claim: "UPDATE jobs SET state = 'running' WHERE id = ANY (ARRAY (SELECT id FROM jobs WHERE state = 'available' \
            ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING id, subscriber, args",
    complete: "DELETE FROM jobs WHERE id = ANY($1)",
};

/// The columns, the order and the two GIN indexes of Oban's table. A row stays when its job is done. Jobs are completed together,
/// and not one by one as Oban does it.
const LIKE_OBAN: Jobs = Jobs {
    create: "CREATE TYPE job_state AS ENUM \
             ('available', 'scheduled', 'executing', 'retryable', 'completed', 'discarded', 'cancelled'); \
             CREATE TABLE oban_jobs (id BIGSERIAL PRIMARY KEY, state job_state NOT NULL DEFAULT 'available', \
             queue TEXT NOT NULL DEFAULT 'default', worker TEXT NOT NULL, args JSONB NOT NULL DEFAULT '{}', \
             errors JSONB[] NOT NULL DEFAULT '{}', attempt INTEGER NOT NULL DEFAULT 0, \
             max_attempts INTEGER NOT NULL DEFAULT 20, \
             inserted_at TIMESTAMP NOT NULL DEFAULT timezone('UTC', now()), \
             scheduled_at TIMESTAMP NOT NULL DEFAULT timezone('UTC', now()), attempted_at TIMESTAMP, \
             completed_at TIMESTAMP, attempted_by TEXT[], discarded_at TIMESTAMP, \
             priority INTEGER NOT NULL DEFAULT 0, tags TEXT[] DEFAULT '{}', meta JSONB DEFAULT '{}', \
             cancelled_at TIMESTAMP); \
             CREATE INDEX ON oban_jobs (state, queue, priority, scheduled_at, id); \
             CREATE INDEX ON oban_jobs USING gin (args); CREATE INDEX ON oban_jobs USING gin (meta)",
    empty: "TRUNCATE oban_jobs",
    insert: "INSERT INTO oban_jobs (worker, args) SELECT subscriber, args FROM unnest($1) AS args, unnest($2) AS subscriber",
    claim: "UPDATE oban_jobs SET state = 'executing', attempt = attempt + 1, attempted_at = timezone('UTC', now()), \
            attempted_by = '{node}' WHERE id = ANY (ARRAY (SELECT id FROM oban_jobs \
            WHERE state = 'available' AND queue = 'default' ORDER BY priority, scheduled_at, id LIMIT $1 \
            FOR UPDATE SKIP LOCKED)) RETURNING id, worker AS subscriber, args",
    complete: "UPDATE oban_jobs SET state = 'completed', completed_at = timezone('UTC', now()) WHERE id = ANY($1)",
};

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    id: i64,
    #[diesel(sql_type = diesel::sql_types::Text)]
    subscriber: String,
    #[diesel(sql_type = diesel::sql_types::Jsonb)]
    args: serde_json::Value,
}

impl Jobs {
    /// Inserts the jobs of all events, with 8 workers that handle them.
    fn run(self, url: &str, handle: Handle) -> anyhow::Result<()> {
        let mut conn = PgConnection::establish(url)?;
        conn.batch_execute(self.empty)?;
        let (handled, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let next = |conn: &mut PgConnection| self.claim_and_handle(conn, handle);
        std::thread::scope(|scope| {
            let workers = scope.spawn(|| job_table::serve_with(url, next, &handled, &stop));
            let done = (|| {
                in_transactions(|some| self.insert(&mut conn, &some))?;
                let until = Instant::now() + LONGEST;
                while handled.load(Ordering::Relaxed) < deliveries() {
                    anyhow::ensure!(Instant::now() < until && !workers.is_finished(), "jobs are left");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            })();
            stop.store(true, Ordering::Relaxed);
            workers.join().map_err(|_| anyhow::anyhow!("the workers panicked"))??;
            done
        })
    }

    /// Inserts a job for each event and subscriber. The arguments of an event are sent once.
    fn insert(self, conn: &mut PgConnection, events: &[OrderPlaced]) -> anyhow::Result<()> {
        use diesel::sql_types::{Array, Jsonb, Text};
        let args = events.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        diesel::sql_query(self.insert)
            .bind::<Array<Jsonb>, _>(args)
            .bind::<Array<Text>, _>(SUBSCRIBERS.as_slice())
            .execute(conn)?;
        Ok(())
    }

    /// Handles the next jobs, and returns how many there were. A transaction handles and completes all of them.
    fn claim_and_handle(self, conn: &mut PgConnection, handle: Handle) -> anyhow::Result<usize> {
        use diesel::sql_types::{Array, BigInt};
        let claimed: Vec<Claimed> = diesel::sql_query(self.claim).bind::<BigInt, _>(CLAIMED).load(conn)?;
        if claimed.is_empty() {
            return Ok(0);
        }
        let ids: Vec<i64> = claimed.iter().map(|job| job.id).collect();
        conn.transaction(|conn| {
            for job in claimed {
                std::hint::black_box(&job.subscriber);
                handle(&serde_json::from_value(job.args)?, conn)?;
            }
            diesel::sql_query(self.complete).bind::<Array<BigInt>, _>(&ids).execute(conn)?;
            anyhow::Ok(())
        })?;
        Ok(ids.len())
    }
}

/// Creates a schema with the tables of a contestant, and returns its URL.
fn schema(bench: &Bench, name: &str, tables: &str) -> anyhow::Result<String> {
    let url = bench.fresh(name)?;
    PgConnection::establish(&url)?.batch_execute(&format!(
        "CREATE TABLE effects (id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, comment INTEGER NOT NULL); {tables}"
    ))?;
    Ok(url)
}

/// Fails if a table of effects does not have a row for each delivery of `rounds`.
fn check(url: &str, rounds: usize) -> anyhow::Result<()> {
    let effects =
        model::number(&mut PgConnection::establish(url)?, "SELECT count(*) AS number FROM effects")?;
    let expected = i64::try_from(deliveries())? * i64::try_from(rounds)?;
    anyhow::ensure!(effects == expected, "{effects} effects, not {expected}");
    Ok(())
}

/// Measures the bus and the two job tables, in this order of URLs.
fn contest(urls: &[String; 3], handle: Handle, rounds: usize) -> anyhow::Result<Times> {
    let [bus, jobs, like_obans] = urls;
    let mut contest = Contest::default();
    contest.add(WORKER, || on_bus(bus, handle));
    contest.add(ONE_INDEX, || JOB_ROWS.run(jobs, handle));
    contest.add(LIKE_OBANS, || LIKE_OBAN.run(like_obans, handle));
    contest.run(rounds)
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/subscribers") {
        return Ok(());
    }
    let bus = Migrations::new().bus::<DomainEvents>().react().up_sql(Database::Postgres);
    let urls = [
        schema(bench, "bench_react_three_bus", &bus)?,
        schema(bench, "bench_react_three_jobs", JOB_ROWS.create)?,
        schema(bench, "bench_react_three_oban", LIKE_OBAN.create)?,
    ];
    let rounds = bench.rounds.min(5);
    let events = EVENTS.unsigned_abs();
    let times = contest(&urls, nothing, rounds)?;
    for (name, baseline, target) in [
        ("react/subscribers-beside-job-rows", ONE_INDEX, 2.5),
        ("react/subscribers-beside-obans-shape", LIKE_OBANS, 5.0),
    ] {
        report.at_least(name, target, &times.ratio(WORKER, baseline).context("no round")?, events);
    }
    let times = contest(&urls, write_row, rounds)?;
    for baseline in [ONE_INDEX, LIKE_OBANS] {
        let ratio = times.ratio(WORKER, baseline).context("no round")?;
        let (ours, theirs) = ratio.times;
        report.note(format!(
            "react/subscribers: with handlers that write a row, {:.2} times as fast as {baseline}, {ours:.1?} / {theirs:.1?}",
            1.0 / ratio.median
        ));
    }
    // One round more warms the caches. The first handler writes nothing.
    urls.iter().try_for_each(|url| check(url, rounds + 1))
}
