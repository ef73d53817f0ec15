//! Measures the CPU time of ten idle subscribers.

use std::time::Duration;

use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_react::{Change, Delivery, Failure, Subscriber, Worker};

use super::model;
use crate::listen::time_of_this_process;
use crate::react::model::Comment;
use crate::report::Report;
use crate::setup::Bench;

const TIME: Duration = Duration::from_secs(20);

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/idle") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_idle")?;
    let nothing = |_: Delivery<'_, Change<Comment>>, _: &mut PgConnection| Ok::<(), Failure>(());
    let ten = (0..10).map(|number| Subscriber::new(format!("idle {number}")).on(Comment::changes(), nothing));
    let worker = ten.fold(Worker::new(), Worker::subscribe).start(move || PgConnection::establish(&url))?;
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
    Ok(())
}
