//! Measures what a change costs where many queries are open, and how fast changes are published.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run, batch};
use evented_live::LiveDsl as _;

use super::model::{self, Spot, SpotChanges, WAIT, new, ranked};
use crate::measure::Ratio;
use crate::report::Report;
use crate::setup::Bench;

const SPOTS: i32 = 100_000;
const UPDATES: i32 = 300;
/// Queries, and changes that are committed together.
const QUERIES: i32 = 10_000;
const CHANGES: u32 = 100_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("live/many-open") {
        many_open(bench, report)?;
    }
    if bench.wants("live/rate") {
        rate(bench, report)?;
    }
    if bench.wants("live/beside-writers") {
        beside_writers(bench, report)?;
    }
    Ok(())
}

fn fill(url: &str) -> anyhow::Result<PgConnection> {
    let mut conn = model::writer(url)?;
    for part in 0..SPOTS / 2_000 {
        batch((0..2_000).map(|n| Spot::insert(new(part * 2_000 + n, n % QUERIES)))).run(&mut conn)?;
    }
    diesel::sql_query("VACUUM ANALYZE spots").execute(&mut conn)?;
    diesel::sql_query("VACUUM ANALYZE spots_events").execute(&mut conn)?;
    Ok(conn)
}

/// A change that concerns 10 viewers, with 100,000 open queries and with 100.
fn many_open(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let url = model::postgres(bench, "bench_live_many")?;
    let conn = std::cell::RefCell::new(fill(&url)?);
    let spot = Spot::replay(0).run(&mut *conn.borrow_mut())?.ok_or_else(|| anyhow::anyhow!("no spot"))?;
    let side = |count: i32| -> anyhow::Result<_> {
        let hub = model::hub(&url)?;
        let (store, _) = model::store(&hub, &url)?;
        // Opened all at once: they are read together.
        let opening: Vec<_> = (0..count).map(|id| store.open(Spot::live().one(id))).collect();
        let open = opening.into_iter().map(|one| one.wait(WAIT)).collect::<Result<Vec<_>, _>>()?;
        let ten =
            (0..10).map(|_| store.open(Spot::live().one(0)).wait(WAIT)).collect::<Result<Vec<_>, _>>()?;
        Ok((hub, store, open, ten))
    };
    let (mut many, mut few) = (side(SPOTS)?, side(100)?);
    let rank = std::cell::Cell::new(0);
    let times = |ten: &mut Vec<evented_live::Live<Option<evented_live::Row<Spot>>>>| -> anyhow::Result<()> {
        for _ in 0..UPDATES {
            rank.set(rank.get() + 1);
            spot.update(ranked(rank.get())).run(&mut *conn.borrow_mut())?;
            for viewer in ten.iter_mut() {
                while viewer.get().is_none_or(|spot| spot.rank != rank.get()) {
                    viewer.recv_timeout(WAIT)?;
                }
            }
        }
        Ok(())
    };
    let (mut ours, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds + 1 {
        for (side, times_of) in [(&mut many, &mut ours), (&mut few, &mut baseline)] {
            let start = Instant::now();
            times(&mut side.3)?;
            times_of.push(start.elapsed());
        }
    }
    // The first round warms the caches.
    let ratio = Ratio::of(&ours[1..], &baseline[1..]);
    report.at_most("live/many-open", 1.3, &ratio, UPDATES.unsigned_abs());
    Ok(())
}

/// Delivers 100,000 changes at once: with a bare hub, and with a hub and a store with 10,000 open queries.
fn rate(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let url = model::postgres(bench, "bench_live_rate")?;
    let mut conn = fill(&url)?;
    let spots: Vec<Spot> = super::model::spots::table.order(super::model::spots::id).load(&mut conn)?;
    let bare = model::hub(&url)?;
    let with_store = model::hub(&url)?;
    let (store, _) = model::store(&with_store, &url)?;
    let opening: Vec<_> =
        (0..QUERIES).map(|org| store.open(Spot::live().filter(move |s| s.org_id.eq(org)))).collect();
    let open = opening.into_iter().map(|list| list.wait(WAIT)).collect::<Result<Vec<_>, _>>()?;
    let (mut bare_times, mut store_times, mut hub_times) = (Vec::new(), Vec::new(), Vec::new());
    let mut spots = spots;
    for round in 0..bench.rounds.min(5) {
        let mut written = Vec::with_capacity(spots.len());
        let mut position = None;
        conn.transaction::<_, anyhow::Error, _>(|conn| {
            for part in spots.chunks(2_000) {
                let changes = |spot: &Spot| SpotChanges {
                    name: Some(format!("{} {round}", spot.id)),
                    ..Default::default()
                };
                written.extend(batch(part.iter().map(|spot| spot.update(changes(spot)))).run(conn)?);
            }
            let last = spots.last().ok_or_else(|| anyhow::anyhow!("no spot"))?;
            position = Some(last.update(ranked(i32::try_from(round)?)).recorded().run(conn)?.position());
            Ok(())
        })?;
        let committed = Instant::now();
        let position = position.ok_or_else(|| anyhow::anyhow!("no position"))?;
        let (bare, with_store) = (bare.clone(), with_store.clone());
        let waits = |hub: evented_feed::Hub| {
            std::thread::spawn(move || hub.wait_for_blocking(position, WAIT).map(|()| committed.elapsed()))
        };
        // One after the other would give the second the cached pages: both hubs read at the same time, on two processors.
        let (of_bare, of_hub) = (waits(bare), waits(with_store));
        let list = open.last().ok_or_else(|| anyhow::anyhow!("no list"))?;
        list.wait_for(position, WAIT)?;
        store_times.push(committed.elapsed());
        bare_times.push(joined(of_bare)?);
        hub_times.push(joined(of_hub)?);
        spots = super::model::spots::table.order(super::model::spots::id).load(&mut conn)?;
    }
    let rate = Ratio::of(&store_times, &bare_times);
    report.at_least("live/rate", 0.5, &rate, CHANGES);
    let beside = Ratio::of(&hub_times, &bare_times);
    report.at_most("live/hub-with-store", 1.2, &beside, CHANGES);
    Ok(())
}

fn joined(
    waiting: std::thread::JoinHandle<Result<Duration, evented_feed::HubError>>,
) -> anyhow::Result<Duration> {
    Ok(waiting.join().map_err(|_| anyhow::anyhow!("a panic"))??)
}

/// Writers whose changes a hub with a store reads, against a hub without.
fn beside_writers(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    const WRITES: i32 = 1_000;
    let url = model::postgres(bench, "bench_live_writers")?;
    let mut conn = model::writer(&url)?;
    let made = batch((0..200).map(|id| Spot::insert(new(id, id % 10)))).run(&mut conn)?;
    let mut rank = 0;
    let (mut with_store, mut without) = (Vec::new(), Vec::new());
    for round in 0..2 * (bench.rounds + 1) {
        let has_store = round % 2 == 0;
        let hub = model::hub(&url)?;
        let store = if has_store { Some(model::store(&hub, &url)?.0) } else { None };
        let open = store.iter().map(|store| store.open(Spot::live()).wait(WAIT));
        let open = open.collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        for spot in made.iter().cycle().take(usize::try_from(WRITES)?) {
            rank += 1;
            spot.update(ranked(rank)).run(&mut conn)?;
        }
        if has_store { &mut with_store } else { &mut without }.push(start.elapsed());
        drop((open, store, hub));
    }
    // The first round warms the caches.
    let ratio = Ratio::of(&with_store[1..], &without[1..]);
    report.at_most("live/beside-writers", 1.2, &ratio, WRITES.unsigned_abs());
    Ok(())
}
