//! Measures the CPU time of ten idle subscribers, and the time from a commit to its effect.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_react::{Change, Delivery, Failure, Subscriber, Worker};

use super::model;
use crate::listen::time_of_this_process;
use crate::react::model::{Comment, NewComment};
use crate::report::Report;
use crate::setup::Bench;

const TIME: Duration = Duration::from_secs(20);

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("react/idle") {
        let url = model::postgres(bench, "bench_react_idle")?;
        let nothing = |_: Delivery<'_, Change<Comment>>, _: &mut PgConnection| Ok::<(), Failure>(());
        let ten =
            (0..10).map(|number| Subscriber::new(format!("idle {number}")).on(Comment::changes(), nothing));
        let worker =
            ten.fold(Worker::new(), Worker::subscribe).start(move || PgConnection::establish(&url))?;
        std::thread::sleep(Duration::from_secs(3));
        let before = time_of_this_process()?;
        std::thread::sleep(TIME);
        let spent = time_of_this_process()? - before;
        let share = 100.0 * spent / TIME.as_secs_f64();
        report.row(
            "react/idle-ten-subscribers",
            share,
            2.0,
            "at most",
            format!("{spent:.2} s of {TIME:?}; the row is percent of a core"),
        );
        worker.stop(Duration::from_secs(20))?;
    }
    if bench.wants("react/latency") {
        latency(bench, report)?;
    }
    Ok(())
}

/// The time from a commit to the call of a handler, beside a reader that looks every millisecond.
fn latency(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    const WRITES: usize = 500;
    let url = model::postgres(bench, "bench_react_latency")?;
    let (called, calls) = mpsc::channel();
    let subscriber = Subscriber::new("latency").on(
        Comment::changes(),
        move |_: Delivery<'_, Change<Comment>>, _: &mut PgConnection| {
            called.send(Instant::now()).map_err(Failure::dead)
        },
    );
    let of_worker = url.clone();
    let worker = Worker::new().subscribe(subscriber).start(move || PgConnection::establish(&of_worker))?;
    let mut conn = PgConnection::establish(&url)?;
    let mut times = Vec::with_capacity(WRITES);
    for write in 0..WRITES {
        Comment::insert(NewComment { post_id: 1, text: "a comment".into() }).run(&mut conn)?;
        let committed = Instant::now();
        times.push(calls.recv_timeout(Duration::from_secs(10))?.saturating_duration_since(committed));
        std::thread::sleep(Duration::from_micros(3_000 + (write as u64 * 379) % 4_000));
    }
    worker.stop(Duration::from_secs(20))?;
    times.sort();
    let half = times[WRITES / 2];
    let detail = format!("p50 {half:.1?}, p99 {:.1?}; the row is p50 in ms", times[WRITES * 99 / 100]);
    report.row("react/latency-to-the-handler", half.as_secs_f64() * 1_000.0, 4.0, "at most", detail);
    Ok(())
}
