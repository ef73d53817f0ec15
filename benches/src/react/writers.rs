//! Measures writers beside a busy worker, against the same writers without one.

use std::time::Duration;

use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_react::{Subscriber, Worker};

use super::drain::effect;
use super::model;
use crate::measure::compare;
use crate::react::model::{Comment, NewComment};
use crate::report::Report;
use crate::setup::Bench;

const WRITES: u32 = 1_500;

fn write(conn: &mut PgConnection) -> anyhow::Result<()> {
    for number in 0..WRITES {
        let post_id = i32::try_from(number % 100)?;
        Comment::insert(NewComment { post_id, text: "a comment".into() }).run(conn)?;
    }
    Ok(())
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/writers") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_writers")?;
    let mut conn = PgConnection::establish(&url)?;
    let mut other = PgConnection::establish(&url)?;
    let with_worker = || {
        let url = url.clone();
        let subscriber = Subscriber::new("writers").on(Comment::changes(), effect as model::Handler);
        let worker = Worker::new().subscribe(subscriber).start(move || PgConnection::establish(&url))?;
        write(&mut conn)?;
        worker.stop(Duration::from_secs(20))?;
        Ok(())
    };
    let ratio = compare(bench.rounds.min(5), with_worker, || write(&mut other))?;
    report.at_most("react/writers-beside-a-worker", 1.1, &ratio, WRITES);
    Ok(())
}
