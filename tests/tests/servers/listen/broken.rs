//! Tests logs that are broken, restored or copied from elsewhere, and reads that fail.

use std::num::NonZeroUsize;
use std::time::Duration;

use diesel::connection::{InstrumentationEvent, SimpleConnection};
use diesel::{Connection, PgConnection};
use evented_diesel::migrations::Database;
use evented_diesel::stream::LogReader;
use evented_diesel::{Error, EventedDsl as _, Run};
use evented_feed::{Hub, Interruption, RecvError};
use evented_tests::drain::drain;
use evented_tests::models::{AddValue, Item};

use super::promises::{File, LONG};
use super::{lamp, org};

/// The position of a reader that began at the present contains nothing that reveals a restored file.
#[test]
fn a_reader_that_began_at_the_present_notices_an_older_copy_of_a_file() {
    let (file, copy) = File::with_copy();
    let mut conn = file.open();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let mut reader = LogReader::<Item>::from_now();
    reader.page().run(&mut conn).unwrap();
    let position = reader.position().unwrap();
    drop(conn);
    std::fs::copy(&copy, file.path()).unwrap();
    let mut conn = file.open();
    // Write another event at the same position.
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let read = LogReader::<Item>::resume(position).page().run(&mut conn);
    assert!(matches!(read, Err(Error::MustRefetch { .. })), "{:?}", read.map(|it| it.changes.len()));
}

/// A page that fails in the middle must not move the reader past events that it did not return.
#[test]
fn a_page_that_fails_loses_nothing() {
    let file = File::new();
    let mut conn = file.open();
    let old = Item::insert(lamp(org())).run(&mut conn).unwrap();
    let mut reader = LogReader::<Item>::from_now().state_cache_size(NonZeroUsize::MIN);
    assert_eq!(reader.page().run(&mut conn).unwrap().changes.len(), 0);
    let new = Item::insert(lamp(org())).run(&mut conn).unwrap();
    let newer = Item::insert(lamp(org())).run(&mut conn).unwrap();
    old.add_value(AddValue(1)).run(&mut conn).unwrap();
    // The table is missing when the history of the old record is read. A broken connection or a timeout has the same
    // effect.
    let mut other = file.open();
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event
            && query.to_string().contains("'savepoint'")
        {
            other.batch_execute("ALTER TABLE items_events RENAME TO elsewhere").unwrap();
        }
    });
    let refused = reader.page().run(&mut conn);
    assert!(refused.is_err(), "{refused:?}");
    drop(refused);
    conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
    conn.batch_execute("ALTER TABLE elsewhere RENAME TO items_events").unwrap();
    let delivered: Vec<_> = reader
        .page()
        .run(&mut conn)
        .unwrap()
        .changes
        .into_iter()
        .map(|it| *it.unwrap().key().unwrap())
        .collect();
    assert_eq!(delivered, [new.id, newer.id, old.id], "an insert was lost");
}

/// The same case as in `reused_txids`, for a reader that began at the present instead of a hub.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_began_at_the_present_reads_what_is_written_with_a_number_that_is_given_again_on_postgres()
 {
    use evented_test_server::{Cluster, Settings, Stop};
    let options = vec!["wal_writer_delay=10s".to_owned(), "autovacuum=off".to_owned()];
    let mut cluster = Cluster::start(Settings { options, ..Settings::default() }).unwrap();
    let url = cluster.url();
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&evented_tests::db::tables(Database::Postgres)).unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    for _ in 0..50 {
        conn.batch_execute("BEGIN; SELECT txid_current(); ROLLBACK").unwrap();
    }
    let mut reader = LogReader::<Item>::from_now();
    reader.page().run(&mut conn).unwrap();
    let position = reader.position().unwrap();
    let number = "SELECT txid_snapshot_xmax(txid_current_snapshot()) AS n";
    let beyond = super::reused_txids::number(&mut conn, number);
    drop(conn);
    cluster.stop(Stop::Immediate).unwrap();
    cluster.start_again().unwrap();
    let mut conn = PgConnection::establish(&url).unwrap();
    // Run some transactions, so that the position is in the past again; then write an event.
    let written = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    assert!(written.txid() < beyond, "the server gives no number again");
    for _ in 0..60 {
        conn.batch_execute("BEGIN; SELECT txid_current(); ROLLBACK").unwrap();
    }
    match LogReader::<Item>::resume(position).page().run(&mut conn) {
        Err(Error::MustRefetch { .. }) => {}
        read => assert_eq!(read.unwrap().changes.len(), 1, "lost in silence"),
    }
}

/// The position that a hub returned is detected as invalid after the file was restored.
#[test]
fn the_place_of_a_hub_is_noticed_to_be_of_a_file_that_was_restored() {
    let (file, copy) = File::with_copy();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>());
    let last = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    hub.wait_for_blocking(last.position(), LONG).unwrap();
    let position = hub.position::<Item>().unwrap();
    hub.stop();
    drop((hub, conn));
    std::fs::copy(&copy, file.path()).unwrap();
    let mut conn = file.open();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let hub = file.hub(Hub::of::<Item>());
    let mut feed = hub.subscribe_from(Item::changes(), position).unwrap();
    let delivered = feed.recv_timeout(LONG);
    let is_noticed = matches!(delivered, Ok(_) | Err(RecvError::Interrupted(_)));
    assert!(is_noticed, "lost in silence: {delivered:?}");
}

/// The URL leads to another server, into which the log was restored from a dump: its numbers are ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feeds_report_a_log_that_was_copied_from_elsewhere_on_postgres() {
    use evented_feed::Interruption;
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
    let delivered = tokio::time::timeout(LONG, feed.next()).await;
    assert!(
        matches!(delivered, Ok(Some(Err(Interruption::MustRefetch { .. })))),
        "{delivered:?}, {:?}",
        hub.status()
    );
}

/// A hub whose connection works but whose reads fail must also pause longer and longer, and not reconnect many times a
/// second.
#[test]
fn a_hub_that_cannot_read_does_not_connect_all_the_time() {
    let file = File::new();
    let mut conn = file.open();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let hub = file.hub(Hub::of::<Item>());
    conn.batch_execute("ALTER TABLE items_events RENAME TO elsewhere").unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let status = hub.status();
    assert!(status.reconnects <= 12, "{status:?}");
}

/// A savepoint is only a shortcut: a read of the record works without a savepoint that cannot be read.
#[tokio::test]
async fn a_savepoint_that_cannot_be_read_stops_nobody_on_postgres() {
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
    let delivered = drain(&mut feed);
    assert!(
        matches!(delivered.last(), Some(Ok(change)) if change.after() == Some(&last.record)),
        "{delivered:?}"
    );
}

/// A savepoint with a wrong state is ignored: its digest does not match.
#[tokio::test]
async fn a_savepoint_that_says_what_never_was_is_not_believed_on_postgres() {
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
    let delivered = drain(&mut feed);
    assert!(strangers.try_recv().is_err(), "delivered to subscribers of other scopes");
    assert!(
        matches!(delivered.last(), Some(Ok(change)) if change.after() == Some(&last.record)),
        "{delivered:?}"
    );
}

/// A log row that cannot be read at all counts as one unreadable event, and does not end the stream.
#[test]
fn a_row_of_the_log_that_is_garbage_does_not_hold_up_everything() {
    let file = File::new();
    let mut conn = file.open();
    let item = Item::insert(lamp(org())).run(&mut conn).unwrap();
    let hub = file.hub(Hub::of::<Item>());
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    conn.batch_execute(&format!(
        "INSERT INTO items_events (record_id, revision, at, version, action, payload, id, state, position) \
         VALUES (x'{}', 2, 'no time', 2, 'add', '1', x'{}', x'{}', 2)",
        item.id.uuid().simple(),
        uuid::Uuid::now_v7().simple(),
        "01".repeat(16)
    ))
    .unwrap();
    let other = Item::insert(lamp(org())).run(&mut conn).unwrap();
    let mut delivered = Vec::new();
    while delivered.last() != Some(&Ok(other.id)) {
        match feed.recv_timeout(LONG) {
            Err(error) if !matches!(error, RecvError::Interrupted(_)) => break,
            change => delivered.push(change.map(|it| *it.key().unwrap()).map_err(|error| error.to_string())),
        }
    }
    assert_eq!(delivered.last(), Some(&Ok(other.id)), "{delivered:?} {:?}", hub.status());
}

/// The same for a reader, with several such rows among others, and for a reader that resumes.
#[test]
fn unreadable_rows_are_reported_one_by_one_among_the_others() {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>());
    let start = hub.subscribe(Item::changes()).unwrap().start();
    let mut good = Vec::new();
    for n in 0..20 {
        let item = Item::insert(lamp(org())).run(&mut conn).unwrap();
        let bad = n % 7 == 3 || n == 4;
        if bad {
            let spoil = format!(
                "UPDATE items_events SET at = 'no time' WHERE record_id = x'{}'",
                item.id.uuid().simple()
            );
            conn.batch_execute(&format!("DROP TRIGGER IF EXISTS items_events_no_update; {spoil}")).unwrap();
            // The later events of the record cannot be delivered either.
            let _ = item.add_value(AddValue(1)).run(&mut conn);
        } else {
            good.push(item.id);
        }
    }
    let mut reader = LogReader::<Item>::from_start();
    let mut received = Vec::new();
    loop {
        let page = reader.page().run(&mut conn).unwrap();
        received.extend(page.changes.into_iter().filter_map(Result::ok).map(|change| *change.key().unwrap()));
        if !page.more {
            break;
        }
    }
    assert_eq!(received, good);
    let mut feed = hub.subscribe_builder(Item::changes()).resume(start).buffer(5).feed().unwrap();
    let (mut received, mut unreadable) = (Vec::new(), 0);
    while received.len() < good.len() {
        match feed.recv_timeout(LONG) {
            Ok(change) => received.push(*change.key().unwrap()),
            Err(RecvError::Interrupted(Interruption::Unreadable(_))) => unreadable += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(received, good);
    assert!(unreadable >= 4, "{unreadable}");
}

/// A client that sends a position which the log has not reached would otherwise wait for events that have others.
#[test]
fn a_position_ahead_of_a_log_must_be_fetched_again() {
    use evented_diesel::{EventLog, Model};
    use evented_feed::Position;
    let file = File::new();
    let mut conn = file.open();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let hub = file.hub(Hub::of::<Item>());
    let ahead = Position::new(<Item as Model>::Log::NAME.stream(), 0, 1_000_000);
    let mut feed = hub.subscribe_from(Item::changes(), ahead).unwrap();
    let delivered = feed.recv_timeout(LONG);
    assert!(
        matches!(delivered, Err(RecvError::Interrupted(Interruption::MustRefetch { .. }))),
        "{delivered:?}"
    );
    let now = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap().position();
    let mut feed = hub.subscribe_from(Item::changes(), now).unwrap();
    let item = Item::insert(lamp(org())).run(&mut conn).unwrap();
    assert_eq!(feed.recv_timeout(LONG).unwrap().key(), Some(&item.id));
}
