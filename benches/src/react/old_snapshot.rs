//! Measures a handler while one connection holds an old snapshot, beside a job table. A run without the snapshot tells what
//! else changes with time.
//!
//! The snapshot belongs to a transaction without a number of its own, so no reader of the log waits for it. But vacuum
//! removes no row version that is younger than the snapshot: what is updated or deleted often has more versions from minute
//! to minute.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_react::{Subscriber, Worker};

use super::drain::effect;
use super::{job_table, model};
use crate::react::model::{Comment, NewComment};
use crate::report::Report;
use crate::setup::Bench;

/// How long a side runs before it is measured, and after the first burst.
const BEFORE: Duration = Duration::from_secs(2);
/// How many rows a writer inserts in a second at most, one by one.
const RATE: u32 = 1_000;
/// How many rows are inserted at once, at the beginning and at the end, so that the handlers have as much as they can do.
const BURST: i32 = 30_000;
/// How long the handlers of a burst are measured at most.
const LONGEST_BURST: Duration = Duration::from_secs(10);
/// How many rows a worker of the job table claims at a time.
const CLAIMED: i64 = 50;

/// A transaction that has read, and stays open.
struct OldSnapshot(PgConnection);

impl OldSnapshot {
    fn open(url: &str) -> anyhow::Result<Self> {
        let mut conn = PgConnection::establish(url)?;
        conn.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM comments")?;
        Ok(Self(conn))
    }

    /// Fails if the transaction has a number, for which readers of a log would wait.
    fn close(mut self) -> anyhow::Result<()> {
        let numbers = "SELECT count(pg_current_xact_id_if_assigned()) AS number";
        anyhow::ensure!(model::number(&mut self.0, numbers)? == 0, "the snapshot has a transaction id");
        self.0.batch_execute("ROLLBACK")?;
        Ok(())
    }
}

/// How many events there were in the first tenth of the time and in the last one.
struct Tenths {
    first: u64,
    last: u64,
}

impl Tenths {
    fn of(counts: [u64; 4]) -> Self {
        let [start, after_first, before_last, end] = counts;
        Self { first: after_first - start, last: end - before_last }
    }

    fn ratio(&self) -> f64 {
        self.last as f64 / self.first.max(1) as f64
    }

    fn rates(&self, time: Duration) -> String {
        let rate = |events: u64| events as f64 / (time / 10).as_secs_f64();
        format!("{:.0} a second at the end, {:.0} at the beginning", rate(self.last), rate(self.first))
    }
}

/// What one side did.
struct Side {
    handled: Tenths,
    written: Tenths,
    /// How many events of a burst were handled in a second, before and after that.
    bursts: (f64, f64),
    /// How many of the written events were not handled in the end, before the last burst.
    behind: u64,
}

impl Side {
    /// The rate of the handlers in the last tenth beside the first one, each as a part of the writer's rate: a disk that
    /// commits more slowly in the end is no fault of theirs.
    fn keeps_up(&self) -> f64 {
        self.handled.ratio() / self.written.ratio()
    }
}

/// Something that is inserted: so many rows at once.
type Insert = fn(&mut PgConnection, i32) -> anyhow::Result<()>;

/// Counts what `handled` returns beside a writer.
fn beside_writer(
    url: &str,
    time: Duration,
    insert: Insert,
    handled: impl Fn() -> u64,
) -> anyhow::Result<Side> {
    let (written, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_steadily(url, insert, &written, &stop));
        let measured = (|| {
            std::thread::sleep(BEFORE);
            let first = burst(url, insert, &written, &handled)?;
            let counts = [BEFORE, time / 10, time / 10 * 8, time / 10].map(|pause| {
                std::thread::sleep(pause);
                (handled(), written.load(Ordering::Relaxed))
            });
            anyhow::Ok((counts, (first, burst(url, insert, &written, &handled)?)))
        })();
        stop.store(true, Ordering::Relaxed);
        writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        let (counts, bursts) = measured?;
        let [.., (handled, written)] = counts;
        Ok(Side {
            handled: Tenths::of(counts.map(|(handled, _)| handled)),
            written: Tenths::of(counts.map(|(_, written)| written)),
            bursts,
            behind: written.saturating_sub(handled),
        })
    })
}

/// Inserts one row after the other until `stop` is set: at the rate, unless the database commits more slowly.
fn write_steadily(url: &str, insert: Insert, written: &AtomicU64, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(url)?;
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due = due.max(Instant::now()) + Duration::from_secs(1) / RATE;
        insert(&mut conn, 1)?;
        written.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Inserts many rows in one transaction. Returns how many a second are handled until as many are handled.
fn burst(url: &str, insert: Insert, written: &AtomicU64, handled: &impl Fn() -> u64) -> anyhow::Result<f64> {
    insert(&mut PgConnection::establish(url)?, BURST)?;
    let rows = u64::from(BURST.unsigned_abs());
    written.fetch_add(rows, Ordering::Relaxed);
    let (start, began) = (handled(), Instant::now());
    while handled() - start < rows && began.elapsed() < LONGEST_BURST {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((handled() - start) as f64 / began.elapsed().as_secs_f64())
}

fn insert_comments(conn: &mut PgConnection, comments: i32) -> anyhow::Result<()> {
    let new = || NewComment { post_id: 1, text: "a comment".into() };
    if comments == 1 {
        Comment::insert(new()).run(conn)?;
    } else {
        batch((0..comments).map(|_| Comment::insert(new()))).run(conn)?;
    }
    Ok(())
}

fn insert_jobs(conn: &mut PgConnection, jobs: i32) -> anyhow::Result<()> {
    diesel::sql_query(
        "WITH comment AS (INSERT INTO comments (post_id, text) SELECT 1, 'a comment' FROM generate_series(1, $1) \
         RETURNING id) INSERT INTO job_rows (comment) SELECT id FROM comment",
    )
    .bind::<diesel::sql_types::Integer, _>(jobs)
    .execute(conn)?;
    Ok(())
}

/// A worker handles the events of comments, with a snapshot or without one.
fn with_worker(url: &str, time: Duration, is_held: bool) -> anyhow::Result<Side> {
    let of_worker = url.to_owned();
    let subscriber = Subscriber::new("old snapshot").on(Comment::changes(), effect as model::Handler);
    let worker = Worker::new().subscribe(subscriber).concurrency(8);
    let worker = worker.start(move || PgConnection::establish(&of_worker))?;
    let snapshot = is_held.then(|| OldSnapshot::open(url)).transpose()?;
    let side = beside_writer(url, time, insert_comments, || worker.status().handled)?;
    snapshot.map(OldSnapshot::close).transpose()?;
    let status = worker.status();
    anyhow::ensure!(status.set_aside == 0, "{status:?}");
    worker.stop(Duration::from_secs(20))?;
    Ok(side)
}

/// The workers of a job table handle rows that are inserted together with comments.
fn with_job_table(url: &str, time: Duration) -> anyhow::Result<Side> {
    let (handled, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let snapshot = OldSnapshot::open(url)?;
    let side = std::thread::scope(|scope| {
        let workers = scope.spawn(|| job_table::serve(url, CLAIMED, &handled, &stop));
        let side = beside_writer(url, time, insert_jobs, || handled.load(Ordering::Relaxed));
        stop.store(true, Ordering::Relaxed);
        workers.join().map_err(|_| anyhow::anyhow!("the workers panicked"))??;
        side
    })?;
    snapshot.close()?;
    Ok(side)
}

/// The sizes of tables with their indexes.
fn sizes(url: &str, tables: &[&str]) -> anyhow::Result<String> {
    let mut conn = PgConnection::establish(url)?;
    let mut sizes = Vec::with_capacity(tables.len());
    for table in tables {
        let bytes = model::number(&mut conn, &format!("SELECT pg_total_relation_size('{table}') AS number"))?;
        sizes.push(format!("{table} {} kB", bytes / 1024));
    }
    Ok(sizes.join(", "))
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/old-snapshot") {
        return Ok(());
    }
    let time = Duration::try_from_secs_f64(bench.minutes * 60.0)?;
    let tables = ["evented_cursors", "evented_parts", "evented_deferred"];
    let url = model::postgres(bench, "bench_react_snapshot")?;
    let ours = with_worker(&url, time, true)?;
    let our_sizes = sizes(&url, &tables)?;
    let url = model::postgres(bench, "bench_react_snapshot_none")?;
    let without = with_worker(&url, time, false)?;
    let sizes_without = sizes(&url, &tables)?;
    let url = model::postgres(bench, "bench_react_snapshot_jobs")?;
    job_table::create(&url)?;
    let jobs = with_job_table(&url, time)?;
    let (handled, written) = (ours.handled.rates(time), ours.written.rates(time));
    let detail = format!("handled {handled}, written {written}, of {time:?}");
    report.row("react/old-snapshot-steady", ours.keeps_up(), 0.9, "at least", detail);
    let (first, last) = ours.bursts;
    let detail = format!("{last:.0} a second at the end, {first:.0} at the beginning, of {time:?}");
    report.row("react/old-snapshot-burst", last / first, 0.9, "at least", detail);
    note(report, time, "a worker", &ours, &our_sizes);
    note(report, time, "a worker without the snapshot", &without, &sizes_without);
    note(report, time, "a job table", &jobs, &sizes(&url, &["job_rows"])?);
    Ok(())
}

fn note(report: &mut Report, time: Duration, name: &str, side: &Side, sizes: &str) {
    let (first, last) = side.bursts;
    report.note(format!(
        "react/old-snapshot: {name} handled {} ({:.2}), beside a writer with {} ({:.2}), and was {} behind; of a burst \
         {last:.0} a second at the end, {first:.0} at the beginning ({:.2}); {sizes}",
        side.handled.rates(time),
        side.handled.ratio(),
        side.written.rates(time),
        side.written.ratio(),
        side.behind,
        last / first
    ));
}
