//! Tests the guarantees of the hub in the hardest cases.

use std::sync::mpsc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use evented_diesel::migrations::Database;
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::{ChangeKind, Feed, Hub, HubBuilder, Kinds, Policy};
use evented_tests::models::{Item, ItemChanges};

use super::{lamp, org};

const NEVER: Duration = Duration::from_secs(3_600);
/// A deadline that only a bug exceeds, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct File {
    folder: tempfile::TempDir,
}

impl File {
    pub(crate) fn new() -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        let mut conn = file.open();
        conn.batch_execute("PRAGMA journal_mode = WAL").unwrap();
        conn.batch_execute(&evented_tests::db::tables(Database::Sqlite)).unwrap();
        file
    }

    /// Creates a file with a record in it, and a copy of the file.
    pub(crate) fn with_copy() -> (Self, std::path::PathBuf) {
        let file = Self::new();
        let mut conn = file.open();
        conn.batch_execute("PRAGMA journal_mode = DELETE").unwrap();
        Item::insert(lamp(org())).run(&mut conn).unwrap();
        drop(conn);
        let copy = file.folder.path().join("copy.db");
        std::fs::copy(file.path(), &copy).unwrap();
        (file, copy)
    }

    pub(crate) fn path(&self) -> String {
        self.folder.path().join("shop.db").to_string_lossy().into_owned()
    }

    pub(crate) fn open(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(&self.path()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 20000; PRAGMA synchronous = OFF").unwrap();
        conn
    }

    pub(crate) fn hub(&self, hub: HubBuilder) -> Hub {
        let path = self.path();
        hub.start(move || SqliteConnection::establish(&path)).unwrap()
    }
}

/// A policy that blocks at a record of this name until the test opens it.
struct Gate {
    name: &'static str,
    at: mpsc::Sender<()>,
    go: std::sync::Mutex<mpsc::Receiver<()>>,
}

fn gate(name: &'static str) -> (Gate, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (at, reached) = mpsc::channel();
    let (open, go) = mpsc::channel();
    (Gate { name, at, go: std::sync::Mutex::new(go) }, reached, open)
}

impl Policy<Item> for Gate {
    fn may_see(&self, item: &Item) -> bool {
        if item.name == self.name {
            let _ = self.at.send(());
            let _ = self.go.lock().unwrap().recv_timeout(Duration::from_secs(30));
        }
        true
    }
}

/// A hub that polls only after hints, and is at work: its only subscriber has not received the record `Gate` yet.
struct AtWork {
    _file: File,
    conn: SqliteConnection,
    hub: Hub,
    feed: Feed<Item>,
    /// Unblocks the policy.
    open: mpsc::Sender<()>,
}

fn at_work() -> AtWork {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>().poll_interval(NEVER));
    let (gate, reached, open) = gate("Gate");
    let feed = hub.subscribe(Item::changes().allowed_by(gate)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    Item::insert(named("Gate")).run(&mut conn).unwrap();
    reached.recv_timeout(LONG).unwrap();
    AtWork { _file: file, conn, hub, feed, open }
}

/// Sends further hints, so that a failing test ends too: a hub that has missed a hint gets another one.
fn let_it_end() {
    for _ in 0..10 {
        evented_feed::wake();
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn named(name: &str) -> evented_tests::models::NewItem {
    evented_tests::models::NewItem { name: name.into(), ..lamp(org()) }
}

/// A command's hint that arrives while the hub is at work must not be lost.
#[test]
fn a_hint_while_the_hub_works_is_not_lost() {
    let AtWork { _file, mut conn, hub: _hub, mut feed, open } = at_work();
    let second = Item::insert(named("Second")).run(&mut conn).unwrap();
    open.send(()).unwrap();
    assert_eq!(feed.recv_timeout(LONG).unwrap().after().unwrap().name, "Gate");
    let delivered = feed.recv_timeout(LONG);
    let known = delivered.as_ref().ok().and_then(|it| it.key().copied());
    let_it_end();
    assert_eq!(known, Some(second.id), "{delivered:?}");
}

/// The same for `stop`, which joins the hub's thread.
#[test]
fn a_busy_hub_stops() {
    let AtWork { _file, conn: _conn, hub, feed: _feed, open } = at_work();
    let (stopped, has_stopped) = mpsc::channel();
    std::thread::spawn(move || {
        hub.stop();
        let _ = stopped.send(());
    });
    std::thread::sleep(Duration::from_millis(200));
    open.send(()).unwrap();
    let has = has_stopped.recv_timeout(LONG);
    let_it_end();
    assert!(has.is_ok(), "`stop` does not return: {has:?}");
}

/// A subscriber that catches up with a small buffer must not wait for the poll interval between two parts.
#[test]
fn a_subscriber_that_catches_up_does_not_wait_for_the_next_poll() {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>().poll_interval(NEVER));
    let start = hub.subscribe(Item::changes()).unwrap().start();
    for _ in 0..20 {
        Item::insert(named("x")).run(&mut conn).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    let mut feed = hub.subscribe_builder(Item::changes()).resume(start).buffer(8).feed().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut got = 0;
    while got < 20 && feed.recv_timeout(LONG).is_ok() {
        got += 1;
    }
    let_it_end();
    assert_eq!(got, 20);
}

/// The end of a transaction in the live stream must not end the transaction of a subscriber that is catching up.
#[tokio::test]
async fn a_transaction_feed_that_catches_up_gets_whole_transactions_on_postgres() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let start = hub.subscribe(Item::changes()).unwrap().start();
    db.begin().await;
    let mut last = None;
    for _ in 0..30 {
        last = Some(db.run(Item::insert(lamp(org())).recorded()).await.unwrap());
    }
    db.commit().await;
    hub.wait_for(last.unwrap().position()).await.unwrap();
    let mut feed =
        hub.subscribe_builder(Item::changes()).resume(start).buffer(20).transaction_feed().unwrap();
    while hub.subscriptions::<Item>().unwrap().iter().all(|it| it.buffered < 15) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let last = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 31 {
        let delivered = tokio::time::timeout(LONG, feed.next()).await.expect("in time").unwrap().unwrap();
        sizes.push(delivered.len());
    }
    assert_eq!(sizes, [30, 1], "a transaction was torn");
}

/// The last change of a page is held back until it is known whether it ends its transaction, and must not count as
/// delivered before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_for_returns_after_delivery_within_a_long_transaction_on_postgres() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let (gate, reached, open) = gate("Gate");
    let mut feed = hub.subscribe_builder(Item::changes().allowed_by(gate)).buffer(10_000).feed().unwrap();
    db.begin().await;
    let mut position = None;
    for n in 1..=1_001 {
        let name = if n == 1_000 { "Gate" } else { "x" };
        let done = db.run(Item::insert(named(name)).recorded()).await.unwrap();
        if n == 1_000 {
            position = Some(done.position());
        }
    }
    db.commit().await;
    let position = position.unwrap();
    reached.recv_timeout(Duration::from_secs(30)).unwrap();
    // The policy has not decided yet whether the subscriber may see the change.
    let waited = hub.wait_for_blocking(position, Duration::from_millis(500));
    let mut delivered = 0;
    while feed.try_recv().is_ok() {
        delivered += 1;
    }
    open.send(()).unwrap();
    assert!(waited.is_err() || delivered >= 1_000, "waited: {waited:?}, delivered: {delivered}");
}

/// A policy that holds a handle of its hub.
struct Knows(Hub);
impl Policy<Item> for Knows {
    fn may_see(&self, _: &Item) -> bool {
        self.0.status().connected
    }
}

/// The last handle of the hub is dropped with a subscription's policy, under the lock that the hub's thread waits for.
#[test]
fn a_feed_whose_policy_has_the_last_handle_of_the_hub_can_be_dropped() {
    let file = File::new();
    let hub = file.hub(Hub::of::<Item>());
    let feed = hub.subscribe(Item::changes().allowed_by(Knows(hub.clone()))).unwrap();
    drop(hub);
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        drop(feed);
        let _ = done.send(());
    });
    assert!(is_done.recv_timeout(LONG).is_ok(), "a deadlock");
}

/// A further channel must not make a feed deliver less than one channel alone.
#[tokio::test]
async fn a_further_channel_takes_nothing_away_on_postgres() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let (ours, theirs) = (org(), org());
    let members = |org| Item::changes().scope(Item::ORG.eq(org)).on(Kinds::MEMBERSHIP);
    let mut alone = hub.subscribe(members(ours)).unwrap();
    let mut both = hub.subscribe(members(ours)).unwrap();
    both.add(members(theirs)).unwrap();
    let mut deletes = hub.subscribe(members(ours)).unwrap();
    deletes.add(Item::changes().on(Kinds::DELETES)).unwrap();
    let item = db.run(Item::insert(lamp(ours))).await.unwrap();
    let moved = ItemChanges { org_id: Some(theirs), ..Default::default() };
    let last = db.run(item.update(moved).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    assert_eq!(alone.try_recv().unwrap().kind(), ChangeKind::Leave);
    let delivered = (both.try_recv().is_ok(), deletes.try_recv().is_ok());
    assert_eq!(delivered, (true, true), "the move from one scope to the other");
}

/// A subscriber that subscribes while a transaction is delivered in pages must not receive the rest of it as a whole
/// transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_feed_that_starts_within_a_transaction_gets_no_part_of_it_on_postgres() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let (gate, reached, open) = gate("Gate");
    let _other = hub.subscribe_builder(Item::changes().allowed_by(gate)).buffer(10_000).feed().unwrap();
    db.begin().await;
    let mut position = None;
    for n in 1..=1_500 {
        let name = if n == 999 { "Gate" } else { "x" };
        position = Some(db.run(Item::insert(named(name)).recorded()).await.unwrap().position());
    }
    db.commit().await;
    reached.recv_timeout(Duration::from_secs(30)).unwrap();
    let of_thread = hub.clone();
    let subscribed = std::thread::spawn(move || {
        of_thread.subscribe_builder(Item::changes()).buffer(10_000).transaction_feed().unwrap()
    });
    std::thread::sleep(Duration::from_millis(200));
    open.send(()).unwrap();
    let mut feed = subscribed.join().unwrap();
    hub.wait_for(position.unwrap()).await.unwrap();
    let delivered = feed.try_recv().map(|it| it.len()).unwrap_or(0);
    assert!(delivered == 0 || delivered == 1_500, "a part of a transaction: {delivered}");
}

/// An event whose `apply` panics is an unreadable event, and does not end the hub.
#[tokio::test]
async fn an_action_that_panics_does_not_end_the_hub_on_postgres() {
    use evented_tests::models::{Counter, NewCounter};
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let full = db.run(Counter::insert(NewCounter { count: i64::MAX })).await.unwrap();
    let hub = db.hub(Hub::of::<Counter>().and::<Item>()).await;
    let mut items = hub.subscribe(Item::changes()).unwrap();
    let payload = serde_json::json!(null);
    evented_tests::raw::append(&mut db, "counters_events", full.id.uuid(), (2, "increment", 0), &payload)
        .await;
    let mut counters = hub.subscribe(Counter::changes()).unwrap();
    let ended = tokio::time::timeout(LONG, counters.next()).await;
    eprintln!("{ended:?}");
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    let delivered = tokio::time::timeout(LONG, items.next()).await.expect("in time");
    assert!(
        matches!(&delivered, Some(Ok(change)) if change.key() == Some(&item.id)),
        "{delivered:?}, {:?}",
        hub.status()
    );
}

/// Many subscribers that resume at once do not delay the live subscribers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_subscribers_that_catch_up_delay_no_other_on_postgres() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let mut live = hub.subscribe(Item::changes().record(evented_diesel::Id::new(uuid::Uuid::nil()))).unwrap();
    let start = live.start();
    let many = evented_diesel::batch((0..1_000).map(|_| Item::insert(lamp(org()))));
    db.run(many).await.unwrap();
    let last = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    live.add(Item::changes()).unwrap();
    let feeds: Vec<_> =
        (0..300).map(|_| hub.subscribe_builder(Item::changes()).resume(start).buffer(5_000).feed()).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    assert_eq!(super::change(&mut live).await.key(), Some(&item.id));
    let catching = hub.subscriptions::<Item>().unwrap().iter().filter(|it| it.catching_up).count();
    drop(feeds);
    assert!(catching > 0, "all of them came first");
}

/// The debug output of a change contains nothing that the subscriber may not see.
#[tokio::test]
async fn the_debug_form_of_a_change_shows_visible_states_only_on_postgres() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let mut feed = hub.subscribe(Item::changes().allowed_by(|item: &Item| item.name != "Secret")).unwrap();
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    let hidden = ItemChanges { name: Some("Secret".into()), org_id: Some(org()), ..Default::default() };
    let done =
        db.run(item.update(hidden).meta(serde_json::json!({"why": "because"})).recorded()).await.unwrap();
    hub.wait_for(done.position()).await.unwrap();
    let leave = loop {
        let change = feed.try_recv().unwrap();
        if change.kind() == ChangeKind::Leave {
            break change;
        }
    };
    let shown = format!("{leave:?}");
    assert_eq!((shown.contains("Secret"), shown.contains("because")), (false, false), "{shown}");
    // Wherever the record went, or stayed: the subscriber sees only that it left.
    assert_eq!((leave.entered().count(), leave.left().count()), (0, 1));
}

/// Models that share logs, over shards, with savepoints: each change follows from the change before it, also for a hub
/// with a minimal state cache and for a subscriber that resumes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_and_savepoints_are_delivered_in_order_on_postgres() {
    use evented_tests::models::shared::{self, Add, Meter, NewMeter, NewParcel, Parcel};
    let mut db = evented_tests::db::SyncPostgres::new().await;
    db.sql(&shared::tables(Database::Postgres)).await;
    let mut parcels = Vec::new();
    let mut meters = Vec::new();
    for n in 0..20 {
        parcels.push(db.run(Parcel::insert(NewParcel { name: format!("p{n}") })).await.unwrap());
        meters.push(db.run(Meter::insert(NewMeter { name: format!("m{n}") })).await.unwrap());
    }
    for round in 0..2 {
        for n in 0..20 {
            parcels[n] = db.run(parcels[n].add(Add(round))).await.unwrap();
            meters[n] = db.run(meters[n].add(Add(round))).await.unwrap();
        }
    }
    let hub = db.hub(Hub::of::<Parcel>().and::<Meter>()).await;
    let mut of_parcels = hub.subscribe(Parcel::changes()).unwrap();
    let mut of_meters = hub.subscribe(Meter::changes()).unwrap();
    let (from_parcels, from_meters) = (of_parcels.start(), of_meters.start());
    let (old_parcels, old_meters) = (parcels.clone(), meters.clone());
    for round in 1..6 {
        for n in 0..20 {
            parcels[n] = db.run(parcels[n].add(Add(round))).await.unwrap();
            meters[n] = db.run(meters[n].add(Add(round))).await.unwrap();
        }
    }
    let last = db.run(parcels[0].add(Add(7)).recorded()).await.unwrap();
    parcels[0] = last.record.clone();
    hub.wait_for(last.position()).await.unwrap();
    let last = db.run(meters[0].add(Add(7)).recorded()).await.unwrap();
    meters[0] = last.record.clone();
    hub.wait_for(last.position()).await.unwrap();
    macro_rules! follow {
        ($feed:expr, $old:expr, $new:expr) => {{
            let mut now = $old.clone();
            let mut count = 0;
            while count < 101 {
                let change = super::change($feed).await;
                let Some(it) = now.iter_mut().find(|it| Some(&it.id) == change.key()) else { continue };
                // The hub may first deliver changes from before it started.
                if change.before() != Some(&*it) && count == 0 {
                    continue;
                }
                assert_eq!(change.before(), Some(&*it));
                *it = change.after().unwrap().clone();
                count += 1;
            }
            assert_eq!(now, $new);
        }};
    }
    follow!(&mut of_parcels, old_parcels, parcels);
    follow!(&mut of_meters, old_meters, meters);
    let mut again = hub.subscribe_builder(Parcel::changes()).resume(from_parcels).buffer(10).feed().unwrap();
    follow!(&mut again, old_parcels, parcels);
    let mut again = hub.subscribe_builder(Meter::changes()).resume(from_meters).buffer(10).feed().unwrap();
    follow!(&mut again, old_meters, meters);
}

/// The position advances for a model without changes in a busy log.
#[tokio::test]
async fn a_position_moves_on_where_nothing_happens_to_a_model_on_postgres() {
    use evented_tests::models::shared::{self, Card, NewCard, NewRemark, Remark};
    let mut db = evented_tests::db::SyncPostgres::new().await;
    db.sql(&shared::tables(Database::Postgres)).await;
    let hub = db.hub(Hub::of::<Card>().and::<Remark>()).await;
    db.run(Card::insert(NewCard { name: "c".into() })).await.unwrap();
    let first = db.run(Remark::insert(NewRemark { name: "r".into() }).recorded()).await.unwrap();
    hub.wait_for(first.position()).await.unwrap();
    let feed = hub.subscribe(Card::changes()).unwrap();
    let last = db.run(Remark::insert(NewRemark { name: "r".into() }).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    assert!(feed.position().has_reached(first.position()), "{} {}", feed.position(), first.position());
}

/// A policy that holds a feed, as a session does.
struct Keeps(#[expect(dead_code, reason = "kept")] evented_feed::Feed<Item>);
impl Policy<Item> for Keeps {
    fn may_see(&self, _: &Item) -> bool {
        true
    }
}

#[test]
fn a_feed_whose_policy_keeps_another_feed_can_be_dropped() {
    let file = File::new();
    let hub = file.hub(Hub::of::<Item>());
    let kept = hub.subscribe(Item::changes()).unwrap();
    let feed = hub.subscribe(Item::changes().allowed_by(Keeps(kept))).unwrap();
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        drop(feed);
        let _ = done.send(());
    });
    let is_done = is_done.recv_timeout(LONG);
    // The hub would not stop either, so forget it.
    std::mem::forget(hub);
    assert!(is_done.is_ok(), "a deadlock");
}

/// The hint of a waiting caller is not lost either.
#[test]
fn wait_for_returns_while_the_hub_is_busy() {
    let AtWork { _file, mut conn, hub, feed: _feed, open } = at_work();
    let second = Item::insert(named("Second")).recorded().run(&mut conn).unwrap();
    let of_thread = hub.clone();
    let waiting = std::thread::spawn(move || of_thread.wait_for_blocking(second.position(), LONG).is_ok());
    std::thread::sleep(Duration::from_millis(200));
    open.send(()).unwrap();
    let waited = waiting.join().unwrap();
    let_it_end();
    assert!(waited, "it waits until the next look");
}
