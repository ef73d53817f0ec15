//! Measures one update that 1,000 viewers see, against 1,000 subscribers that run the query when a feed tells them.

use std::sync::atomic::Ordering;

use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run, batch};
use evented_live::LiveDsl as _;

use super::model::{self, Spot, WAIT, new, ranked, spots};
use crate::listen::time_of_this_process;
use crate::report::Report;
use crate::setup::Bench;

const VIEWERS: usize = 1_000;
/// How many updates each side sees.
const UPDATES: (i32, i32) = (500, 10);

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("live/many-viewers") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_live_viewers")?;
    let mut conn = model::writer(&url)?;
    let made = batch((0..200).map(|id| Spot::insert(new(id, 1)))).run(&mut conn)?;
    let first = made.first().ok_or_else(|| anyhow::anyhow!("no spot"))?;
    let hub = model::hub(&url)?;

    // 1,000 viewers of one value.
    let (store, statements) = model::store(&hub, &url)?;
    let query = || Spot::live().filter(|s| s.org_id.eq(1)).order(|s| s.rank.asc()).limit(50);
    let mut viewers = (0..VIEWERS).map(|_| store.open(query()).wait(WAIT)).collect::<Result<Vec<_>, _>>()?;
    let read = statements.load(Ordering::Relaxed);
    let before = (time_of_this_process()?, server_time(&mut conn)?);
    for number in 1..=UPDATES.0 {
        first.update(ranked(-number)).run(&mut conn)?;
        for viewer in &mut viewers {
            anyhow::ensure!(viewer.recv_timeout(WAIT)?.new()[0].rank == -number);
        }
    }
    let ours =
        (time_of_this_process()? - before.0 + server_time(&mut conn)? - before.1) / f64::from(UPDATES.0);
    let read = statements.load(Ordering::Relaxed) - read;
    drop((viewers, store));

    // 1,000 subscribers that run the query themselves.
    let mut feeds = (0..VIEWERS)
        .map(|_| hub.subscribe(Spot::changes().scope(Spot::ORG.eq(1))))
        .collect::<Result<Vec<_>, _>>()?;
    let mut reader = PgConnection::establish(&url)?;
    let before = (time_of_this_process()?, server_time(&mut conn)?);
    for number in 1..=UPDATES.1 {
        first.update(ranked(-1_000 - number)).run(&mut conn)?;
        for feed in &mut feeds {
            feed.recv_timeout(WAIT)?;
            let rows: Vec<Spot> = spots::table
                .filter(spots::org_id.eq(1))
                .order((spots::rank, spots::id))
                .limit(50)
                .load(&mut reader)?;
            anyhow::ensure!(rows[0].rank == -1_000 - number);
        }
    }
    drop(reader);
    let theirs =
        (time_of_this_process()? - before.0 + server_time(&mut conn)? - before.1) / f64::from(UPDATES.1);
    let detail = format!(
        "{:.2} ms / {:.2} ms of processor an update, of this process and the server; {read} statements in {} updates",
        ours * 1e3,
        theirs * 1e3,
        UPDATES.0
    );
    report.row("live/many-viewers", ours / theirs, 1.0 / 50.0, "at most", detail);
    Ok(())
}

/// The processor time of the server's processes, in seconds: those of one that has ended count for its parent.
pub(crate) fn server_time(conn: &mut PgConnection) -> anyhow::Result<f64> {
    #[derive(QueryableByName)]
    struct Pid {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        pid: i32,
    }
    let mut pids: Vec<i32> = diesel::sql_query("SELECT pid FROM pg_stat_activity")
        .load::<Pid>(conn)?
        .into_iter()
        .map(|row| row.pid)
        .collect();
    let server: Option<i32> = pids.first().and_then(|pid| stat(*pid)?.get(1)?.parse().ok());
    pids.extend(server);
    let ticks = |pid: &i32| {
        let Some(fields) = stat(*pid) else { return 0.0 };
        // A tick is a hundredth of a second, on every Linux. The server's own counts with the children that ended.
        [11, 12, 13, 14].iter().filter_map(|field| fields.get(*field)?.parse::<f64>().ok()).sum()
    };
    Ok(pids.iter().map(ticks).sum::<f64>() / 100.0)
}

/// The fields of a process behind its name.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}
