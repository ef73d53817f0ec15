//! Measures pages: server-sent events over HTTP, of trees and lists.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_feed::Hub;
use evented_live::axum::{LastState, sse};
use evented_live::{self as live, BlockingStore, LiveDsl as _, LiveError};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::latency::percentile;
use super::memory_of_viewers::resident;
use super::model::{self, Spot, WAIT};
use super::trees::{Mark, MarkChanges, SpotTree, hub, postgres_of_orgs};
use crate::report::Report;
use crate::setup::Bench;

mod clients;

pub(crate) use clients::open_pages;

/// How many organisations there are, and how many spots each has.
const ORGS: i32 = 1_000;
const SPOTS: i32 = 10;
/// How many pages each organisation has.
const PAGES: usize = 10;

type Store = BlockingStore<PgConnection>;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("live/pages-open") {
        many(bench, report)?;
    }
    if bench.wants("live/pages-latency") {
        latency(bench, report)?;
    }
    if bench.wants("live/pages-flat") {
        flat(bench, report)?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Page {
    org: i32,
}

async fn events(
    last: LastState,
    State(store): State<Store>,
    Query(page): Query<Page>,
) -> Result<Response, LiveError> {
    let mut set = store.set();
    set.show("trees", SpotTree::live().filter(|s| s.org_id.eq(page.org)).order(|s| s.rank.asc()).limit(20))?;
    set.show("spots", Spot::live().filter(|s| s.org_id.eq(page.org)).order(|s| s.name.asc()).limit(20))?;
    Ok(sse(set, last))
}

/// Serves pages from a store, on a port of its own.
fn serve(runtime: &Runtime, store: Store) -> anyhow::Result<SocketAddr> {
    let app = Router::new().route("/events", get(events)).with_state(store);
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    runtime.spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

fn store(hub: &Hub, url: &str, linger: Duration) -> anyhow::Result<Store> {
    let url = url.to_owned();
    Ok(live::over(hub).linger(linger).start(move || PgConnection::establish(&url))?)
}

fn text(number: u64) -> MarkChanges {
    MarkChanges { text: Some(format!("marker-{number}-")), ..Default::default() }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn first_mark(conn: &mut PgConnection) -> anyhow::Result<Mark> {
    Mark::replay(0).run(conn)?.context("no mark")
}

/// A change that ten pages show, with 10,000 open pages in one process, and with 100. The clients are another process.
fn many(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    const UPDATES: u64 = 200;
    let url = postgres_of_orgs(bench, "bench_live_pages", ORGS, SPOTS)?;
    let mut conn = model::writer(&url)?;
    let mark = first_mark(&mut conn)?;
    let runtime = Runtime::new()?;
    let side = |orgs: i32| -> anyhow::Result<_> {
        let hub = hub(&url)?;
        let address = serve(&runtime, store(&hub, &url, Duration::from_secs(600))?)?;
        let (before, began) = (resident()?, Instant::now());
        let clients = clients::Clients::start(address, orgs, PAGES)?;
        let each = (resident()? - before) / f64::from(orgs) / PAGES as f64;
        Ok((clients, hub, each, began.elapsed()))
    };
    let (mut many, mut few) = (side(ORGS)?, side(10)?);
    report.note(format!(
        "live/pages-open: {} pages in {:.1?}, {:.1} kB each: a connection, a tree and a list that ten pages share",
        ORGS as usize * PAGES,
        many.3,
        many.2
    ));
    let (mut ours, mut baseline, mut number) = (Vec::new(), Vec::new(), 0);
    for _ in 0..bench.rounds.min(5) + 1 {
        for (clients, times) in [(&mut many.0, &mut ours), (&mut few.0, &mut baseline)] {
            for _ in 0..UPDATES {
                number += 1;
                mark.update(text(number)).run(&mut conn)?;
                let committed = Instant::now();
                clients.wait_for(number)?;
                times.push(committed.elapsed());
            }
        }
    }
    let (ours, baseline) = (percentile(&mut ours, 50), percentile(&mut baseline, 50));
    let detail =
        format!("{ours:.1?} / {baseline:.1?} from the commit to the last of 10 pages, 10,000 open / 100");
    report.row("live/pages-open", ours.as_secs_f64() / baseline.as_secs_f64(), 1.3, "at most", detail);
    Ok(())
}

/// Opens a page, and reads its first event.
fn open(address: SocketAddr, org: i32) -> anyhow::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(WAIT))?;
    write!(stream, "GET /events?org={org} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut stream = BufReader::new(stream);
    read_until(&mut stream, "data:")?;
    Ok(stream)
}

/// Reads lines until one contains this.
fn read_until(stream: &mut BufReader<TcpStream>, part: &str) -> anyhow::Result<()> {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        anyhow::ensure!(stream.read_line(&mut line)? > 0, "the server closed the connection");
    }
    Ok(())
}

/// From the commit to the patch at an HTTP client, against a bare feed.
fn latency(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    const UPDATES: u64 = 600;
    let url = postgres_of_orgs(bench, "bench_live_page", 10, SPOTS)?;
    let mut conn = model::writer(&url)?;
    let mark = first_mark(&mut conn)?;
    let runtime = Runtime::new()?;
    let hub = hub(&url)?;
    let address = serve(&runtime, store(&hub, &url, Duration::ZERO)?)?;
    let (mut ours, mut theirs, mut number) = (Vec::new(), Vec::new(), 0);
    for _ in 0..bench.rounds.min(3) {
        // One side at a time, so that none wakes the other's processor.
        let mut page = open(address, 0)?;
        for _ in 0..UPDATES {
            number += 1;
            mark.update(text(number)).run(&mut conn)?;
            let committed = Instant::now();
            read_until(&mut page, &format!("marker-{number}-"))?;
            ours.push(committed.elapsed());
        }
        drop(page);
        let mut feed = hub.subscribe(Mark::changes())?;
        for _ in 0..UPDATES {
            number += 1;
            mark.update(text(number)).run(&mut conn)?;
            let committed = Instant::now();
            let is_it = |mark: &Mark| mark.text == format!("marker-{number}-");
            anyhow::ensure!(feed.recv_timeout(WAIT)?.after().is_some_and(is_it));
            theirs.push(committed.elapsed());
        }
    }
    for (name, share, most) in [("p50", 50, 2.0), ("p99", 99, 3.0)] {
        let (ours, theirs) = (percentile(&mut ours, share), percentile(&mut theirs, share));
        let detail =
            format!("{ours:.1?} / {theirs:.1?} from the commit to the patch at an HTTP client / the feed");
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        report.row(&format!("live/pages-latency-{name}"), ratio, most, "at most", detail);
    }
    Ok(())
}

/// The memory of a process whose pages are opened and closed all the time, beside a writer: at the end against the beginning.
fn flat(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    const CLIENTS: u64 = 4;
    /// The memory is read this often. The first fifth is not compared: caches fill up.
    const SAMPLES: u32 = 50;
    let url = postgres_of_orgs(bench, "bench_live_flat", 100, SPOTS)?;
    let mut conn = model::writer(&url)?;
    let mark = first_mark(&mut conn)?;
    let runtime = Runtime::new()?;
    let hub = hub(&url)?;
    let store = store(&hub, &url, Duration::from_secs(1))?;
    let address = serve(&runtime, store.clone())?;
    let (ends, opened) = (AtomicBool::new(false), AtomicU64::new(0));
    let fault = Mutex::new(None);
    let time = Duration::try_from_secs_f64(bench.minutes * 60.0)?;
    let mut sizes = Vec::new();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        for client in 0..CLIENTS {
            let (ends, opened, fault) = (&ends, &opened, &fault);
            scope.spawn(move || {
                let mut next = client;
                while !ends.load(Ordering::Relaxed) {
                    // A different organisation each time, so that values come and go.
                    next = (next * 31 + 7 + client) % 100;
                    let org = i32::try_from(next).unwrap_or_default();
                    match open(address, org) {
                        Ok(page) => drop(page),
                        Err(error) => *lock(fault) = Some(error),
                    }
                    opened.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let began = Instant::now();
        for number in 1.. {
            mark.update(text(number)).run(&mut conn)?;
            std::thread::sleep(Duration::from_millis(10));
            if began.elapsed() >= time / SAMPLES * (u32::try_from(sizes.len())? + 1) {
                sizes.push(resident()?);
            }
            if sizes.len() >= SAMPLES as usize {
                break;
            }
        }
        ends.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    if let Some(error) = lock(&fault).take() {
        return Err(error);
    }
    let fifth = SAMPLES as usize / 5;
    let mean = |sizes: &[f64]| sizes.iter().sum::<f64>() / sizes.len() as f64;
    let (first, last) = (mean(&sizes[fifth..fifth * 2]), mean(&sizes[fifth * 4..]));
    let opened = opened.into_inner();
    let kept = store.status().values;
    let detail = format!(
        "{last:.0} kB / {first:.0} kB, the last fifth of {time:.0?} / the second one; {opened} pages opened, {kept} values kept"
    );
    report.row("live/pages-flat", last / first, 1.05, "at most", detail);
    Ok(())
}
