//! Measures the time from a commit to the effect of a handler, beside a loop around a `LogReader` written by hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use evented_diesel::prelude::*;
use evented_diesel::stream::LogReader;
use evented_react::{Change, Delivery, Failure, Subscriber, Worker};

use super::model;
use crate::measure::Ratio;
use crate::react::model::{Comment, NewComment};
use crate::report::Report;
use crate::setup::Bench;

/// How many commits a round measures.
const WRITES: u32 = 100;
/// The time between two commits: both sides are idle by then.
const PAUSE: Duration = Duration::from_millis(20);
/// The fixed interval of the loop written by hand. It is the shortest of a worker: the gap that its reader keeps between two
/// polls, whatever announces a change.
const POLL: Duration = Duration::from_millis(1);
/// How long a side may take to start, to see a change, or to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// When a change was handled.
struct Handled {
    called: Instant,
    /// When the handler had written its row. Its transaction was still open.
    written: Instant,
}

/// The times of a round since the commits.
#[derive(Default)]
struct Times {
    called: Vec<Duration>,
    written: Vec<Duration>,
}

/// The handler of both sides: it writes a row.
fn handle(comment: &Change<Comment>, conn: &mut PgConnection) -> QueryResult<Handled> {
    let called = Instant::now();
    let id = comment.after().or(comment.before()).map(|comment| comment.id);
    diesel::sql_query("INSERT INTO effects (comment) VALUES ($1)")
        .bind::<Integer, _>(id.unwrap_or_default())
        .execute(conn)?;
    Ok(Handled { called, written: Instant::now() })
}

/// Writes comments, one after the effect of the other.
fn write(url: &str, handled: &Receiver<Handled>) -> anyhow::Result<Times> {
    let mut conn = PgConnection::establish(url)?;
    let mut times = Times::default();
    for write in 0..WRITES {
        // The pause varies, so that the commits do not fall into step with the polls.
        std::thread::sleep(PAUSE + Duration::from_micros(u64::from(write) * 379 % 4_000));
        Comment::insert(NewComment { post_id: 1, text: "a comment".into() }).run(&mut conn)?;
        let committed = Instant::now();
        // A handler can be faster than the answer to the commit.
        let handled = handled.recv_timeout(PATIENCE)?;
        times.called.push(handled.called.saturating_duration_since(committed));
        times.written.push(handled.written.saturating_duration_since(committed));
    }
    times.called.sort();
    times.written.sort();
    Ok(times)
}

/// A worker in the process of the writer, so that commits announce themselves.
fn beside_worker(url: &str) -> anyhow::Result<Times> {
    let (handled, received) = channel();
    let subscriber = Subscriber::new(model::fresh_name()).on(
        Comment::changes(),
        move |comment: Delivery<'_, Change<Comment>>, conn: &mut PgConnection| {
            handled.send(handle(&comment, conn)?).map_err(Failure::dead)
        },
    );
    let of_worker = url.to_owned();
    let worker = Worker::new().subscribe(subscriber).start(move || PgConnection::establish(&of_worker))?;
    let until = Instant::now() + PATIENCE;
    while worker.status().parts == 0 {
        anyhow::ensure!(Instant::now() < until, "{:?}", worker.status());
        std::thread::sleep(Duration::from_millis(1));
    }
    let times = write(url, &received);
    worker.stop(PATIENCE)?;
    times
}

/// A loop on a thread of its own, which stores its position with the effects.
fn beside_loop(url: &str) -> anyhow::Result<Times> {
    let (handled, received) = channel();
    let mut conn = PgConnection::establish(url)?;
    let mut reader = LogReader::<Comment>::from_now();
    reader.page().run(&mut conn)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| follow(&mut conn, reader, &handled, &stop));
        let times = write(url, &received);
        stop.store(true, Ordering::Relaxed);
        follower.join().map_err(|_| anyhow::anyhow!("the loop panicked"))??;
        times
    })
}

fn follow(
    conn: &mut PgConnection,
    mut reader: LogReader<Comment>,
    handled: &Sender<Handled>,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let page = reader.page().run(conn)?;
        if page.changes.is_empty() {
            std::thread::sleep(POLL);
            continue;
        }
        let position = reader.position().context("no position after a page")?.to_string();
        conn.transaction(|conn| -> anyhow::Result<()> {
            for change in page.changes {
                handled.send(handle(&change?, conn)?)?;
            }
            let store = diesel::sql_query("UPDATE positions SET position = $1");
            anyhow::ensure!(store.bind::<Text, _>(position).execute(conn)? == 1, "no row for the position");
            Ok(())
        })?;
    }
    Ok(())
}

/// Measures a handler and the loop in alternating rounds, and compares the medians of each round.
pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/latency") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_latency")?;
    PgConnection::establish(&url)?.batch_execute(
        "CREATE TABLE positions (position TEXT NOT NULL); INSERT INTO positions VALUES ('')",
    )?;
    // One round to warm the caches of both sides.
    beside_worker(&url)?;
    beside_loop(&url)?;
    let (mut of_worker, mut of_loop, mut called) = (Vec::new(), Vec::new(), Vec::new());
    let half = |times: &[Duration]| times[times.len() / 2];
    for _ in 0..bench.rounds.clamp(1, 5) {
        let times = beside_worker(&url)?;
        of_worker.push(half(&times.written));
        called.extend(times.called);
        of_loop.push(half(&beside_loop(&url)?.written));
    }
    called.sort();
    let (p50, p99) = (half(&called), called[called.len() * 99 / 100]);
    let detail = format!("p50 {p50:.1?}, p99 {p99:.1?}; the row is p50 in ms");
    report.row("react/latency-to-the-handler", p50.as_secs_f64() * 1_000.0, 4.0, "at most", detail);
    report.at_most("react/latency-beside-a-loop", 2.0, &Ratio::of(&of_worker, &of_loop), 1);
    report.note(format!(
        "react/latency: from the commit to the row that the handler writes, p50 of {WRITES} commits a round; the loop \
         polls every {POLL:?}"
    ));
    Ok(())
}
