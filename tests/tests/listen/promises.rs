//! What is promised, where it is hardest to keep.

use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use evented_diesel::listen::{ChangeKind, Hub, HubBuilder, Kinds, LogReader, Policy};
use evented_diesel::migrations::Flavour;
use evented_diesel::{Error, Run};
use evented_tests::models::{AddValue, Item, ItemChanges};

use super::{lamp, org};

const NEVER: Duration = Duration::from_secs(3_600);
const LONG: Duration = Duration::from_secs(8);

struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new() -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        let mut conn = file.open();
        conn.batch_execute("PRAGMA journal_mode = WAL").unwrap();
        conn.batch_execute(&evented_tests::db::tables(Flavour::Sqlite)).unwrap();
        file
    }

    fn path(&self) -> String {
        self.folder.path().join("shop.db").to_string_lossy().into_owned()
    }

    fn open(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(&self.path()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 20000; PRAGMA synchronous = OFF").unwrap();
        conn
    }

    fn hub(&self, hub: HubBuilder) -> Hub {
        let path = self.path();
        hub.start(move || SqliteConnection::establish(&path)).unwrap()
    }
}

/// A policy that stops at a record of this name until it is told to go on.
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

fn named(name: &str) -> evented_tests::models::NewItem {
    evented_tests::models::NewItem { name: name.into(), ..lamp(org()) }
}

/// A command's hint that comes while the hub is at work is lost: nobody listens for it until it waits.
#[test]
fn a_hint_while_the_hub_works_is_not_lost() {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>().look_every(NEVER));
    let (gate, reached, open) = gate("Gate");
    let mut feed = hub.subscribe(Item::changes().allowed_by(gate)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    Item::insert(named("Gate")).run(&mut conn).unwrap();
    reached.recv_timeout(LONG).unwrap();
    let second = Item::insert(named("Second")).run(&mut conn).unwrap();
    open.send(()).unwrap();
    assert_eq!(feed.recv_timeout(LONG).unwrap().unwrap().after().unwrap().name, "Gate");
    let told = feed.recv_timeout(LONG);
    let known = told.as_ref().ok().and_then(|it| it.as_ref().ok()).and_then(|it| it.key().copied());
    // So that the test ends.
    for _ in 0..10 {
        evented_diesel::listen::wake();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(known, Some(second.id), "{told:?}");
}

/// The same for `stop`, which joins the thread.
#[test]
fn a_hub_that_is_told_to_stop_while_it_works_stops() {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>().look_every(NEVER));
    let (gate, reached, open) = gate("Gate");
    let _feed = hub.subscribe(Item::changes().allowed_by(gate)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    Item::insert(named("Gate")).run(&mut conn).unwrap();
    reached.recv_timeout(LONG).unwrap();
    let (stopped, has_stopped) = mpsc::channel();
    std::thread::spawn(move || {
        hub.stop();
        let _ = stopped.send(());
    });
    std::thread::sleep(Duration::from_millis(200));
    open.send(()).unwrap();
    let has = has_stopped.recv_timeout(LONG);
    for _ in 0..10 {
        evented_diesel::listen::wake();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(has.is_ok(), "`stop` does not return: {has:?}");
}

/// Who catches up with a small buffer gets a part of it each time that the hub looks.
#[test]
fn who_catches_up_does_not_wait_for_the_next_look() {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>().look_every(NEVER));
    let start = hub.subscribe(Item::changes()).unwrap().start();
    for _ in 0..20 {
        Item::insert(named("x")).run(&mut conn).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    let mut feed = hub.subscribing(Item::changes()).from(start).buffer(8).feed().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut got = 0;
    while got < 20 && feed.recv_timeout(Duration::from_secs(4)).is_ok() {
        got += 1;
    }
    for _ in 0..10 {
        evented_diesel::listen::wake();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(got, 20);
}

/// The end of a transaction of the live stream ends that which somebody who is behind is being told.
#[tokio::test]
async fn who_catches_up_is_told_whole_transactions_too() {
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
    let mut feed = hub.subscribing(Item::changes()).from(start).buffer(20).whole_feed().unwrap();
    while hub.subscriptions::<Item>().unwrap().iter().all(|it| it.waiting < 15) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let last = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 31 {
        let told = tokio::time::timeout(LONG, feed.next()).await.expect("in time").unwrap().unwrap();
        sizes.push(told.len());
    }
    assert_eq!(sizes, [30, 1], "a transaction was torn");
}

/// The last change of a page is held back until it is known whether it ends its transaction, and counts as told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_waited_for_has_been_told_also_within_a_long_transaction() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let (gate, reached, open) = gate("Gate");
    let mut feed = hub.subscribing(Item::changes().allowed_by(gate)).buffer(10_000).feed().unwrap();
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
    // The policy has yet to say whether the subscriber may see it.
    let waited = hub.wait_for_blocking(position, Duration::from_millis(500));
    let mut told = 0;
    while feed.try_recv().is_ok() {
        told += 1;
    }
    open.send(()).unwrap();
    assert!(waited.is_err() || told >= 1_000, "waited: {waited:?}, told: {told}");
}

/// The place of a reader that began at the present says nothing by which a restored file would be noticed.
#[test]
fn a_reader_that_began_at_the_present_notices_an_older_copy_of_a_file() {
    let file = File::new();
    let mut conn = file.open();
    conn.batch_execute("PRAGMA journal_mode = DELETE").unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    drop(conn);
    let backup = file.folder.path().join("backup.db");
    std::fs::copy(file.path(), &backup).unwrap();
    let mut conn = file.open();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let mut reader = LogReader::<Item>::now();
    reader.page().run(&mut conn).unwrap();
    let position = reader.position().unwrap();
    drop(conn);
    std::fs::copy(&backup, file.path()).unwrap();
    let mut conn = file.open();
    // At the same place.
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let read = LogReader::<Item>::from(position).page().run(&mut conn);
    assert!(matches!(read, Err(Error::MustRefetch { .. })), "{:?}", read.map(|it| it.changes.len()));
}

/// A page that fails in the middle has moved on over what it had read before.
#[test]
fn a_page_that_fails_loses_nothing() {
    let file = File::new();
    let mut conn = file.open();
    let old = Item::insert(lamp(org())).run(&mut conn).unwrap();
    let mut reader = LogReader::<Item>::now().remember(NonZeroUsize::MIN);
    assert_eq!(reader.page().run(&mut conn).unwrap().changes.len(), 0);
    let new = Item::insert(lamp(org())).run(&mut conn).unwrap();
    let newer = Item::insert(lamp(org())).run(&mut conn).unwrap();
    old.add_value(AddValue(1)).run(&mut conn).unwrap();
    // The history of the old record cannot be read for a while: a broken connection or a timeout does the same.
    conn.batch_execute(
        "DROP TRIGGER IF EXISTS items_events_no_update; \
         UPDATE items_events SET at = 'no time' WHERE position = 1",
    )
    .unwrap();
    let refused = reader.page().run(&mut conn);
    assert!(refused.is_err(), "{refused:?}");
    drop(refused);
    let good =
        "UPDATE items_events SET at = (SELECT at FROM items_events WHERE position = 2) WHERE position = 1";
    conn.batch_execute(good).unwrap();
    let told: Vec<_> = reader
        .page()
        .run(&mut conn)
        .unwrap()
        .changes
        .into_iter()
        .map(|it| *it.unwrap().key().unwrap())
        .collect();
    assert_eq!(told, [new.id, newer.id, old.id], "an insert was lost");
}

/// A policy that knows its hub.
struct Knows(Hub);
impl Policy<Item> for Knows {
    fn may_see(&self, _: &Item) -> bool {
        self.0.status().connected
    }
}

/// The last handle of the hub goes with a subscription's policy, under the lock that the hub's thread waits for.
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

/// With a further channel a feed tells less than with the one alone.
#[tokio::test]
async fn a_further_channel_takes_nothing_away() {
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
    assert_eq!(alone.try_recv().unwrap().unwrap().kind(), ChangeKind::Leave);
    let told = (both.try_recv().is_ok(), deletes.try_recv().is_ok());
    assert_eq!(told, (true, true), "the move from one scope to the other");
}

/// As `given_again` for a hub: for a reader that began at the present.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_began_at_the_present_reads_what_is_written_with_a_number_that_is_given_again() {
    use evented_test_server::{Cluster, Settings, Stop};
    let options = vec!["wal_writer_delay=10s".to_owned(), "autovacuum=off".to_owned()];
    let mut cluster = Cluster::start(Settings { options, ..Settings::default() }).unwrap();
    let url = cluster.url();
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&evented_tests::db::tables(Flavour::Postgres)).unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    for _ in 0..50 {
        conn.batch_execute("BEGIN; SELECT txid_current(); ROLLBACK").unwrap();
    }
    let mut reader = LogReader::<Item>::now();
    reader.page().run(&mut conn).unwrap();
    let position = reader.position().unwrap();
    drop(conn);
    cluster.stop(Stop::Immediate).unwrap();
    cluster.start_again().unwrap();
    let mut conn = PgConnection::establish(&url).unwrap();
    // Some transactions pass, so that the place is one of the past again; then something is written.
    let written = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    assert!(written.position() < position, "the server gives no number again");
    for _ in 0..60 {
        conn.batch_execute("BEGIN; SELECT txid_current(); ROLLBACK").unwrap();
    }
    match LogReader::<Item>::from(position).page().run(&mut conn) {
        Err(Error::MustRefetch { .. }) => {}
        read => assert_eq!(read.unwrap().changes.len(), 1, "lost in silence"),
    }
}

/// Who subscribes while a transaction is told, in pages, gets the rest of it as a whole one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribes_to_whole_transactions_within_one_is_given_no_part_of_it() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let (gate, reached, open) = gate("Gate");
    let _other = hub.subscribing(Item::changes().allowed_by(gate)).buffer(10_000).feed().unwrap();
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
        of_thread.subscribing(Item::changes()).buffer(10_000).whole_feed().unwrap()
    });
    std::thread::sleep(Duration::from_millis(200));
    open.send(()).unwrap();
    let mut feed = subscribed.join().unwrap();
    hub.wait_for(position.unwrap()).await.unwrap();
    let told = feed.try_recv().map(|it| it.unwrap().len()).unwrap_or(0);
    assert!(told == 0 || told == 1_500, "a part of a transaction: {told}");
}

/// A savepoint is only a short cut: whoever reads the record does without one that cannot be read.
#[tokio::test]
async fn a_savepoint_that_cannot_be_read_stops_nobody() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    db.run(Item::savepoint(item.id)).await.unwrap();
    let broken = "UPDATE items_events SET payload = '{\"name\": 7}' WHERE action = 'savepoint'";
    evented_tests::raw::tamper(&mut db, "items_events", broken).await;
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().unwrap().name, "Lamp");
    let hub = db.hub(Hub::of::<Item>()).await;
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let last = db.run(item.add_value(AddValue(1)).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    let mut told = Vec::new();
    while let Ok(change) = feed.try_recv() {
        told.push(change);
    }
    assert!(matches!(told.last(), Some(Ok(change)) if change.after() == Some(&last.record)), "{told:?}");
}

/// Nor one that says what never was: its digest does not hold.
#[tokio::test]
async fn a_savepoint_that_says_what_never_was_is_not_believed() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    db.run(Item::savepoint(item.id)).await.unwrap();
    let stranger = org();
    let wrong = format!(
        "UPDATE items_events SET payload = replace(payload::text, '{}', '{}')::json WHERE action = 'savepoint'",
        item.org_id, stranger
    );
    evented_tests::raw::tamper(&mut db, "items_events", &wrong).await;
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().unwrap().org_id, item.org_id);
    let hub = db.hub(Hub::of::<Item>()).await;
    let mut strangers = hub.subscribe(Item::changes().scope(Item::ORG.eq(stranger))).unwrap();
    let mut feed = hub.subscribe(Item::changes().record(item.id)).unwrap();
    let last = db.run(item.add_value(AddValue(1)).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    let mut told = Vec::new();
    while let Ok(change) = feed.try_recv() {
        told.push(change);
    }
    assert!(strangers.try_recv().is_err(), "told to strangers");
    assert!(matches!(told.last(), Some(Ok(change)) if change.after() == Some(&last.record)), "{told:?}");
}

/// An event whose `apply` panics is one that cannot be read, and no end of the hub.
#[tokio::test]
async fn an_action_that_panics_does_not_end_the_hub() {
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
    let told = tokio::time::timeout(LONG, items.next()).await.expect("in time");
    assert!(
        matches!(&told, Some(Ok(change)) if change.key() == Some(&item.id)),
        "{told:?}, {:?}",
        hub.status()
    );
}

/// Many who come back at once do not hold up those who listen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_catch_up_hold_up_nobody() {
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
        (0..300).map(|_| hub.subscribing(Item::changes()).from(start).buffer(5_000).feed()).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let started = std::time::Instant::now();
    db.run(Item::insert(lamp(org()))).await.unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(60), live.next()).await.expect("in time");
    let took = started.elapsed();
    let catching = hub.subscriptions::<Item>().unwrap().iter().filter(|it| it.catching_up).count();
    drop(feeds);
    assert!(took < Duration::from_secs(1), "{took:?}, still catching up: {catching}");
}

/// What somebody may not see is not in what they log.
#[tokio::test]
async fn a_change_shows_no_more_than_it_tells() {
    let mut db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let mut feed = hub.subscribe(Item::changes().allowed_by(|item: &Item| item.name != "Secret")).unwrap();
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    let hidden = ItemChanges { name: Some("Secret".into()), org_id: Some(org()), ..Default::default() };
    let done =
        db.run(item.update(hidden).meta(serde_json::json!({"why": "because"})).recorded()).await.unwrap();
    hub.wait_for(done.position()).await.unwrap();
    let leave = loop {
        let change = feed.try_recv().unwrap().unwrap();
        if change.kind() == ChangeKind::Leave {
            break change;
        }
    };
    let moved = leave.entered().count() + leave.left().count();
    let shown = format!("{leave:?}");
    let leaks = (shown.contains("Secret"), shown.contains("because"), moved);
    assert_eq!(leaks, (false, false, 0));
}

/// The place that a hub says it has come to, of a file that was restored since.
#[test]
fn the_place_of_a_hub_is_noticed_to_be_of_a_file_that_was_restored() {
    let file = File::new();
    let mut conn = file.open();
    conn.batch_execute("PRAGMA journal_mode = DELETE").unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    drop(conn);
    let backup = file.folder.path().join("backup.db");
    std::fs::copy(file.path(), &backup).unwrap();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>());
    let last = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    hub.wait_for_blocking(last.position(), LONG).unwrap();
    let position = hub.position::<Item>().unwrap();
    hub.stop();
    drop((hub, conn));
    std::fs::copy(&backup, file.path()).unwrap();
    let mut conn = file.open();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let hub = file.hub(Hub::of::<Item>());
    let mut feed = hub.subscribe_from(Item::changes(), position).unwrap();
    let told = feed.recv_timeout(Duration::from_secs(2));
    assert!(told.is_ok(), "lost in silence: {told:?}");
}

/// Feeds that are dropped and made again from their positions, whatever happens: nothing is missed, nothing comes twice.
mod resuming {
    use std::collections::HashMap;

    use diesel::connection::TransactionManager;
    use evented_diesel::Id;
    use evented_diesel::listen::{Channel, Feed, Interruption, Position, WholeFeed};
    use evented_tests::models::Org;

    use super::super::kill::Dice;
    use super::*;

    type Manager = <PgConnection as Connection>::TransactionManager;

    enum Any {
        Feed(Feed<Item>),
        Whole(WholeFeed<Item>),
    }

    struct Reader {
        feed: Option<Any>,
        whole: bool,
        channel: Channel<Item>,
        from: Position,
        heard: Vec<(Id<Item>, i32)>,
        groups: Vec<Vec<i64>>,
    }

    impl Reader {
        fn resume(&mut self, hub: &Hub, dice: &mut Dice) {
            let text: Position = self.from.to_string().parse().unwrap();
            let buffer = if self.whole { 5_000 } else { 4 + dice.below(12) as usize };
            let it = hub.subscribing(self.channel.clone()).from(text).buffer(buffer);
            self.feed = Some(if self.whole {
                Any::Whole(it.whole_feed().unwrap())
            } else {
                Any::Feed(it.feed().unwrap())
            });
        }

        /// Takes at most so many.
        fn take(&mut self, most: u64) {
            for _ in 0..most {
                match self.feed.as_mut().unwrap() {
                    Any::Feed(feed) => match feed.try_recv() {
                        Ok(Ok(change)) => self.hear(std::slice::from_ref(&change)),
                        Ok(Err(Interruption::Lagged { resume_from })) => {
                            self.from = resume_from;
                            self.feed = None;
                            return;
                        }
                        Ok(Err(error)) => panic!("{error}"),
                        Err(_) => return,
                    },
                    Any::Whole(feed) => match feed.try_recv() {
                        Ok(Ok(changes)) => {
                            self.groups.push(changes.iter().map(|it| it.transaction().id).collect());
                            self.hear(&changes);
                        }
                        Ok(Err(error)) => panic!("{error}"),
                        Err(_) => return,
                    },
                }
            }
        }

        fn hear(&mut self, changes: &[evented_diesel::listen::Change<Item>]) {
            for change in changes {
                let side = change.after().or(change.before()).unwrap();
                self.heard.push((side.id, side.value));
            }
        }

        fn leave(&mut self) {
            if let Some(feed) = self.feed.take() {
                self.from = match &feed {
                    Any::Feed(feed) => feed.position(),
                    Any::Whole(feed) => feed.position(),
                };
            }
        }
    }

    async fn run(seed: u64) {
        let mut dice = Dice::new(seed);
        let db = evented_tests::db::SyncPostgres::new().await;
        let hub = db.hub(Hub::of::<Item>()).await;
        let orgs: [Id<Org>; 2] = [org(), org()];
        let start = hub.subscribe(Item::changes()).unwrap().start();
        let reader = |channel: Channel<Item>, whole| Reader {
            feed: None,
            whole,
            channel,
            from: start,
            heard: Vec::new(),
            groups: Vec::new(),
        };
        let scoped = || Item::changes().scope(Item::ORG.eq(orgs[0]));
        let mut readers = [
            reader(scoped(), false),
            reader(Item::changes(), false),
            reader(scoped(), true),
            reader(Item::changes(), true),
        ];
        let mut writers: Vec<(PgConnection, Vec<Item>, bool)> =
            (0..4).map(|_| (PgConnection::establish(&db.url).unwrap(), Vec::new(), false)).collect();
        // By record, what was committed: each with another value.
        let mut committed: HashMap<Id<Item>, Vec<i32>> = HashMap::new();
        let mut records: Vec<(Item, bool)> = Vec::new();
        for _ in 0..250 {
            let number = dice.below(4) as usize;
            let (conn, written, open) = &mut writers[number];
            if !*open {
                Manager::begin_transaction(conn).unwrap();
                *open = true;
            }
            match dice.below(8) {
                0 | 1 => {
                    Manager::commit_transaction(conn).unwrap();
                    *open = false;
                    for item in written.drain(..) {
                        committed.entry(item.id).or_default().push(item.value);
                        if let Some(it) = records.iter_mut().find(|it| it.0.id == item.id) {
                            *it = (item, false);
                        } else {
                            records.push((item, false));
                        }
                    }
                }
                2..5 => {
                    let to = orgs[dice.below(2) as usize];
                    written.push(Item::insert(lamp(to)).run(conn).unwrap());
                }
                _ => {
                    let free: Vec<usize> = (0..records.len()).filter(|it| !records[*it].1).collect();
                    if !free.is_empty() {
                        let it = &mut records[free[dice.below(free.len() as u64) as usize]];
                        it.1 = true;
                        written.push(it.0.add_value(AddValue(1)).run(conn).unwrap());
                    }
                }
            }
            for reader in &mut readers {
                match dice.below(6) {
                    0 => reader.leave(),
                    1 | 2 if reader.feed.is_some() => reader.take(dice.below(6)),
                    _ if reader.feed.is_none() => reader.resume(&hub, &mut dice),
                    _ => {}
                }
            }
            if dice.below(3) == 0 {
                tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
            }
        }
        for (conn, written, open) in &mut writers {
            if *open {
                Manager::commit_transaction(conn).unwrap();
                for item in written.drain(..) {
                    committed.entry(item.id).or_default().push(item.value);
                }
            }
        }
        let last = Item::insert(lamp(orgs[0])).recorded().run(&mut writers[0].0).unwrap();
        committed.entry(last.record.id).or_default().push(0);
        hub.wait_for(last.position()).await.unwrap();
        let all_of = |reader: &Reader| reader.heard.iter().any(|it| it.0 == last.record.id);
        for (number, reader) in readers.iter_mut().enumerate() {
            for round in 0.. {
                if all_of(reader) {
                    break;
                }
                assert!(round < 4_000, "seed {seed}, reader {number}: the last never comes");
                if reader.feed.is_none() {
                    reader.resume(&hub, &mut dice);
                }
                reader.take(1_000);
                if dice.below(10) == 0 {
                    reader.leave();
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let mut heard: HashMap<Id<Item>, Vec<i32>> = HashMap::new();
            for (id, value) in &reader.heard {
                heard.entry(*id).or_default().push(*value);
            }
            if number % 2 == 1 {
                assert_eq!(heard, committed, "seed {seed}, reader {number}");
            } else {
                for (id, values) in &heard {
                    assert_eq!(values, &committed[id], "seed {seed}, reader {number}");
                }
            }
            let mut seen = std::collections::HashSet::new();
            for group in &reader.groups {
                let ids: std::collections::HashSet<_> = group.iter().collect();
                assert_eq!(
                    ids.len(),
                    1,
                    "seed {seed}, reader {number}: several transactions as one {group:?}"
                );
                assert!(seen.insert(group[0]), "seed {seed}, reader {number}: in parts {group:?}");
            }
        }
        let few: std::collections::HashSet<_> = readers[0].heard.iter().collect();
        assert_eq!(few, readers[2].heard.iter().collect(), "seed {seed}: the scope");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_missed_and_nothing_comes_twice() {
        for seed in 1..=15 {
            run(seed).await;
        }
    }
}

/// The pauses between attempts grow only while there is no connection: where there is one and reading fails, a hub
/// connects many times in a second, for ever.
#[test]
fn a_hub_that_cannot_read_does_not_connect_all_the_time() {
    let file = File::new();
    let mut conn = file.open();
    let item = Item::insert(lamp(org())).run(&mut conn).unwrap();
    let hub = file.hub(Hub::of::<Item>());
    conn.batch_execute(&format!(
        "INSERT INTO items_events (record_id, revision, at, version, schema, action, payload, id, state, position) \
         VALUES (x'{}', 2, 'no time', 2, 'items', 'add', '1', x'{}', x'{}', 2)",
        item.id.uuid().simple(),
        uuid::Uuid::now_v7().simple(),
        "01".repeat(16)
    ))
    .unwrap();
    std::thread::sleep(Duration::from_secs(6));
    let status = hub.status();
    assert!(status.reconnects <= 12, "{status:?}");
}

/// The server behind the URL is another one, into which the log was brought by a dump: its numbers are ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feeds_hear_of_a_log_that_was_brought_from_elsewhere() {
    use evented_diesel::listen::Interruption;
    use evented_test_server::Stop;
    let (mut old, url) = super::server();
    let (_new, other) = super::server();
    let at = std::sync::Arc::new(std::sync::Mutex::new(url.clone()));
    let of_hub = at.clone();
    let hub = Hub::of::<Item>().start(move || PgConnection::establish(&of_hub.lock().unwrap())).unwrap();
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    Item::insert(lamp(org())).run(&mut PgConnection::establish(&url).unwrap()).unwrap();
    super::change(&mut feed).await;
    let mut conn = PgConnection::establish(&other).unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    conn.batch_execute(
        "ALTER TABLE items_events DISABLE TRIGGER append_only; UPDATE items_events SET txid = 9999999",
    )
    .unwrap();
    *at.lock().unwrap() = other;
    tokio::task::spawn_blocking(move || old.stop(Stop::Immediate).unwrap()).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(15), feed.next()).await;
    assert!(matches!(told, Ok(Some(Err(Interruption::MustRefetch { .. })))), "{told:?}, {:?}", hub.status());
}

/// Models that share logs, over shards, with savepoints: each change follows from the one before it, also for a hub that
/// remembers nothing and for who comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_and_savepoints_are_told_as_they_were() {
    use evented_tests::models::shared::{self, Add, Meter, NewMeter, NewParcel, Parcel};
    let mut db = evented_tests::db::SyncPostgres::new().await;
    db.sql(&shared::tables(Flavour::Postgres)).await;
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
                // What came before the hub may be told first.
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
    let mut again = hub.subscribing(Parcel::changes()).from(from_parcels).buffer(10).feed().unwrap();
    follow!(&mut again, old_parcels, parcels);
    let mut again = hub.subscribing(Meter::changes()).from(from_meters).buffer(10).feed().unwrap();
    follow!(&mut again, old_meters, meters);
}

/// A quiet model in a busy log.
#[tokio::test]
async fn a_position_moves_on_where_nothing_happens_to_a_model() {
    use evented_tests::models::shared::{self, Card, NewCard, NewRemark, Remark};
    let mut db = evented_tests::db::SyncPostgres::new().await;
    db.sql(&shared::tables(Flavour::Postgres)).await;
    let hub = db.hub(Hub::of::<Card>().and::<Remark>()).await;
    db.run(Card::insert(NewCard { name: "c".into() })).await.unwrap();
    let first = db.run(Remark::insert(NewRemark { name: "r".into() }).recorded()).await.unwrap();
    hub.wait_for(first.position()).await.unwrap();
    let feed = hub.subscribe(Card::changes()).unwrap();
    let last = db.run(Remark::insert(NewRemark { name: "r".into() }).recorded()).await.unwrap();
    hub.wait_for(last.position()).await.unwrap();
    assert!(feed.position() >= first.position(), "{} {}", feed.position(), first.position());
}

/// A policy that keeps a feed of its own, as a session does.
struct Keeps(#[expect(dead_code, reason = "kept")] evented_diesel::listen::Feed<Item>);
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
    // It does not stop either.
    std::mem::forget(hub);
    assert!(is_done.is_ok(), "a deadlock");
}

/// Nor is that of somebody who waits.
#[test]
fn who_waits_while_the_hub_works_does_not_wait_for_ever() {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>().look_every(NEVER));
    let (gate, reached, open) = gate("Gate");
    let _feed = hub.subscribe(Item::changes().allowed_by(gate)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    Item::insert(named("Gate")).run(&mut conn).unwrap();
    reached.recv_timeout(LONG).unwrap();
    let second = Item::insert(named("Second")).recorded().run(&mut conn).unwrap();
    let of_thread = hub.clone();
    let waiting = std::thread::spawn(move || of_thread.wait_for_blocking(second.position(), LONG).is_ok());
    std::thread::sleep(Duration::from_millis(200));
    open.send(()).unwrap();
    let waited = waiting.join().unwrap();
    for _ in 0..10 {
        evented_diesel::listen::wake();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(waited, "it waits until the next look");
}
