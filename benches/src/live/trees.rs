//! Measures trees: what a change of a leaf costs, and how often a tree is published that grows with each transaction.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::pg::Pg;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::prelude::*;
use evented_diesel::{Run, batch};
use evented_feed::Hub;
use evented_live::{self as live, BlockingStore, List, Live, LiveDsl as _, Row, Tree};

use serde::Serialize;

use super::latency::percentile;
use super::many_viewers::server_time;
use super::model::{self, NewSpot, Spot, WAIT};
use crate::listen::time_of_this_process;
use crate::report::Report;
use crate::setup::Bench;

diesel::table! { marks (id) { id -> Integer, spot_id -> Integer, text -> Text } }

/// A mark of a spot.
#[derive(Evented, Queryable, Selectable, Identifiable, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = marks)]
#[evented(live)]
pub(crate) struct Mark {
    #[evented(given)]
    id: i32,
    spot_id: i32,
    pub(crate) text: String,
}

#[derive(Tree, Serialize, Clone, Debug, PartialEq)]
pub(crate) struct SpotTree {
    #[tree(row)]
    #[serde(flatten)]
    spot: Row<Spot>,
    #[tree(has_many, by = spot_id)]
    marks: List<Row<Mark>>,
}

/// How many marks each spot has.
const MARKS: i32 = 9;
const UPDATES: usize = 400;
const READS: usize = 20;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("live/tree-leaf") {
        leaves(bench, report)?;
    }
    if bench.wants("live/tree-growth") {
        growth(bench, report)?;
    }
    Ok(())
}

/// Creates the tables, and spots of organisation 1 and 2 with their marks.
fn postgres(bench: &Bench, schema: &str, spots: [i32; 2]) -> anyhow::Result<String> {
    filled(bench, schema, (1..).zip(spots))
}

/// Creates the tables, and organisations with this many spots each, with their marks.
pub(crate) fn postgres_of_orgs(bench: &Bench, schema: &str, orgs: i32, spots: i32) -> anyhow::Result<String> {
    filled(bench, schema, (0..orgs).map(|org| (org, spots)))
}

fn filled(
    bench: &Bench,
    schema: &str,
    spots: impl IntoIterator<Item = (i32, i32)>,
) -> anyhow::Result<String> {
    let url = model::postgres(bench, schema)?;
    let mut conn = PgConnection::establish(&url)?;
    let log = Migrations::new().log::<Mark>().up_sql(Database::Postgres);
    conn.batch_execute(&format!(
        "CREATE TABLE marks (id INTEGER PRIMARY KEY, spot_id INTEGER NOT NULL, text TEXT NOT NULL); \
         CREATE INDEX ON marks (spot_id, id); {log}"
    ))?;
    let mut next = 0;
    for (org_id, count) in spots {
        let first = next;
        next += count;
        let made = (first..next).map(|id| Spot::insert(model::new(id, org_id)));
        batch(made).run(&mut conn)?;
        let marks = (first * MARKS..next * MARKS)
            .map(|id| Mark::insert(NewMark { id, spot_id: id / MARKS, text: format!("mark {id}") }));
        batch(marks).run(&mut conn)?;
    }
    for table in ["spots", "spots_events", "marks", "marks_events"] {
        diesel::sql_query(format!("VACUUM ANALYZE {table}")).execute(&mut conn)?;
    }
    Ok(url)
}

pub(crate) fn hub(url: &str) -> anyhow::Result<Hub> {
    let url = url.to_owned();
    Ok(Hub::of::<Spot>().and_all::<SpotTree, Pg>().start(move || PgConnection::establish(&url))?)
}

/// A change of a leaf: in a tree of 10,000 nodes, against one of 100, and against reading the tree.
fn leaves(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let url = postgres(bench, "bench_live_leaf", [10, 1_000])?;
    let mut conn = model::writer(&url)?;
    let hub = hub(&url)?;
    let (mut small, mut large) = (Vec::new(), Vec::new());
    let mut work = Work::default();
    let rounds = bench.rounds.min(3);
    for _ in 0..rounds {
        let store = store(&hub, &url)?;
        // One tree at a time: the other would take part.
        leaf(&store, &mut conn, 1, &mut small)?;
        work.shown += leaf(&store, &mut conn, 2, &mut large)?;
        drop(store);
        work.fed += feed(&hub, &mut conn)?;
        // The clock of the processor is coarse.
        let before = processor(&mut conn)?;
        for _ in 0..READS {
            drop(self::store(&hub, &url)?.open(SpotTree::live().filter(|s| s.org_id.eq(2))).wait(WAIT)?);
        }
        work.read += processor(&mut conn)? - before;
    }
    let (small, large) = (percentile(&mut small, 50), percentile(&mut large, 50));
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    let detail = format!("{large:.1?} / {small:.1?} from the commit to the viewer, 10,000 nodes / 100");
    report.row("live/tree-leaf", ratio, 3.0, "at most", detail);
    let leaf = (work.shown - work.fed) / (rounds * UPDATES) as f64;
    let read = work.read / (rounds * READS) as f64;
    let detail = format!(
        "{:.3} ms / {:.1} ms of processor, a change of a leaf without what a feed costs / reading the tree",
        leaf * 1e3,
        read * 1e3
    );
    report.row("live/tree-leaf-read", leaf / read, 0.01, "at most", detail);
    Ok(())
}

fn store(hub: &Hub, url: &str) -> anyhow::Result<BlockingStore<PgConnection>> {
    let url = url.to_owned();
    Ok(live::over(hub).linger(Duration::ZERO).start(move || PgConnection::establish(&url))?)
}

/// Changes a leaf of the tree of an organisation. Returns the processor time of all changes.
fn leaf(
    store: &BlockingStore<PgConnection>,
    conn: &mut PgConnection,
    org: i32,
    times: &mut Vec<Duration>,
) -> anyhow::Result<f64> {
    let mut trees = store.open(SpotTree::live().filter(|s| s.org_id.eq(org))).wait(WAIT)?;
    let mark: Mark = trees.get()[0].marks[0].to_record();
    let (began, before) = (Instant::now(), processor(conn)?);
    for number in 0..UPDATES {
        let text = format!("{number} {:?}", began.elapsed());
        mark.update(text_of(&text)).run(conn)?;
        let committed = Instant::now();
        while trees.get()[0].marks[0].text != text {
            trees.recv_timeout(WAIT)?;
        }
        times.push(committed.elapsed());
    }
    Ok(processor(conn)? - before)
}

/// The processor time of the same changes with a feed: what the writer, the hub and the server do for them.
fn feed(hub: &Hub, conn: &mut PgConnection) -> anyhow::Result<f64> {
    let mark = Mark::replay(10 * MARKS).run(conn)?.ok_or_else(|| anyhow::anyhow!("no mark"))?;
    let mut feed = hub.subscribe(Mark::changes())?;
    let before = processor(conn)?;
    for number in 0..UPDATES {
        let written = mark.update(text_of(&format!("{number} fed"))).run(conn)?;
        while feed.recv_timeout(WAIT)?.after() != Some(&written) {}
    }
    Ok(processor(conn)? - before)
}

/// The processor time of this process and of the server, in seconds.
#[derive(Default)]
struct Work {
    read: f64,
    shown: f64,
    fed: f64,
}

fn processor(conn: &mut PgConnection) -> anyhow::Result<f64> {
    Ok(time_of_this_process()? + server_time(conn)?)
}

fn text_of(text: &str) -> MarkChanges {
    MarkChanges { text: Some(text.to_owned()), ..Default::default() }
}

/// Counts the states that a value shows until it has the last spot.
fn states<V: live::Shape>(mut value: Live<V>, has_last: impl Fn(&V) -> bool) -> anyhow::Result<usize> {
    let mut states = 0;
    while !has_last(&value.get()) {
        value.recv_timeout(WAIT)?;
        states += 1;
    }
    Ok(states)
}

/// A new parent in each transaction, whose children have to be read: how many states a tree shows, against a list of the roots.
fn growth(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    const SPOTS: i32 = 1_000;
    let url = postgres(bench, "bench_live_growth", [20, 0])?;
    let mut conn = model::writer(&url)?;
    let hub = hub(&url)?;
    let mut ratios = Vec::new();
    for round in 0..i32::try_from(bench.rounds.min(3))? {
        let store = live::over(&hub).start({
            let url = url.clone();
            move || PgConnection::establish(&url)
        })?;
        let first = 1_000 + round * SPOTS;
        let last = first + SPOTS - 1;
        let trees = store.open(SpotTree::live().order(|s| s.id.desc()).limit(20)).wait(WAIT)?;
        let list = store.open(Spot::live().order(|s| s.id.desc()).limit(20)).wait(WAIT)?;
        let of_trees = std::thread::spawn(move || {
            states(trees, |trees: &List<SpotTree>| trees.first().is_some_and(|tree| tree.spot.id == last))
        });
        let of_list = std::thread::spawn(move || {
            states(list, |list: &List<Row<Spot>>| list.first().is_some_and(|spot| spot.id == last))
        });
        for id in first..=last {
            // A writer that is not in a hurry: each transaction is a cut of its own.
            Spot::insert(NewSpot { id, org_id: 3, rank: id, name: "new".into() }).run(&mut conn)?;
            std::thread::sleep(Duration::from_millis(5));
        }
        let joined = |thread: std::thread::JoinHandle<anyhow::Result<usize>>| {
            thread.join().map_err(|_| anyhow::anyhow!("a viewer panicked"))?
        };
        let (of_trees, of_list) = (joined(of_trees)?, joined(of_list)?);
        ratios.push((of_trees as f64 / of_list as f64, of_trees, of_list));
    }
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, of_trees, of_list) = ratios.get(ratios.len() / 2).copied().unwrap_or_default();
    let detail = format!("{of_trees} / {of_list} states shown, one new parent every 5 ms");
    report.row("live/tree-growth", ratio, 0.9, "at least", detail);
    Ok(())
}
