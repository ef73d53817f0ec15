//! Backfills many rows into the log during other writes, in a process that is killed twice on the way.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, ensure};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use evented_diesel::{EventedDsl as _, EventedTableDsl as _, Run};

use crate::model::{Task, renamed, tasks};
use crate::report::Report;
use crate::setup::Bench;

const ROWS: i64 = 200_000;
const KILLS: i64 = 2;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/backfill") {
        return Ok(());
    }
    let url = bench.fresh("bench_log_backfill")?;
    let mut conn = PgConnection::establish(&url)?;
    conn.batch_execute(&format!(
        "INSERT INTO tasks SELECT gen_random_uuid(), 'old ' || i, false FROM generate_series(1, {ROWS}) i; \
         ANALYZE tasks"
    ))?;
    let start = Instant::now();
    let stop = AtomicBool::new(false);
    let (written, kills) = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&url, &stop));
        let kills = backfill_with_kills(&url);
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        anyhow::Ok((written, kills?))
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let mut count = |sql: &str| -> anyhow::Result<i64> {
        let rows = diesel::sql_query(sql).load::<Count>(&mut conn)?;
        Ok(rows.first().context("a count")?.count)
    };
    let firsts = count("SELECT count(*) FROM tasks_events WHERE revision = 1")?;
    let records = count("SELECT count(DISTINCT record_id) FROM tasks_events")?;
    let updates = count("SELECT count(*) FROM tasks_events WHERE action = 'update'")?;
    let rows = count("SELECT count(*) FROM tasks")?;
    let findings = Task::verify_table().run(&mut conn)?.len() + Task::verify_replay().run(&mut conn)?.len();
    let right = (rows, firsts, records, updates, findings) == (ROWS, ROWS, ROWS, written, 0);
    let detail = format!(
        "{ROWS} rows, {kills} kills, {written} writes beside it, {firsts} first events of {records} records, \
         {updates} updates, {findings} findings, {seconds:.1} s in all"
    );
    report.row("log/backfill-kills", f64::from(u8::from(right)), 1.0, "at least", detail);
    Ok(())
}

/// Updates rows, backfilled or not, until `stop` is set. Returns the number of updates.
fn write_until(url: &str, stop: &AtomicBool) -> anyhow::Result<i64> {
    let mut conn = PgConnection::establish(url)?;
    let rows: Vec<Task> =
        tasks::table.limit(2_000).order(tasks::name).select(Task::as_select()).load(&mut conn)?;
    let mut written = 0;
    for (n, task) in (0..).zip(rows.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        task.update(renamed(format!("new {n}"))).run(&mut conn)?;
        written += 1;
    }
    Ok(written)
}

/// Runs the child until it ends successfully, and kills it twice before: after one third and after two thirds of the
/// rows.
fn backfill_with_kills(url: &str) -> anyhow::Result<i64> {
    let mut kills = 0;
    let mut done = 0;
    loop {
        let mut child = child(url)?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        for line in lines {
            done += line?.trim().parse::<i64>()?;
            if kills < KILLS && done > ROWS * (kills + 1) / (KILLS + 1) {
                child.kill()?;
                kills += 1;
                break;
            }
        }
        if child.wait()?.success() {
            return Ok(kills);
        }
        ensure!(kills > 0, "the child ended by itself");
    }
}

fn child(url: &str) -> anyhow::Result<Child> {
    let program = std::env::current_exe()?;
    let args = ["--url", url, "--pg-bin", ".", "--backfill"];
    Ok(Command::new(program).args(args).stdout(Stdio::piped()).spawn()?)
}

/// Runs in the child process: backfills rows, and prints after each chunk how many.
pub(crate) fn backfill(url: &str) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(url)?;
    let mut backfill = Task::backfill();
    while let Some(done) = backfill.page().run(&mut conn)? {
        println!("{}", done.records);
    }
    Ok(())
}
