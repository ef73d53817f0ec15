//! Tests numbers that a database assigns a second time: after a crash, and after a restore while a connection stays
//! open.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
use evented_diesel::migrations::Database;
use evented_diesel::stream::LogReader;
use evented_diesel::{Error, EventedDsl as _, Run};
use evented_feed::{Hub, Interruption, Kinds, Position};
use evented_test_server::{Cluster, Settings, Stop};
use evented_tests::db::SyncPostgres;
use evented_tests::models::{AddValue, Item};

use super::{change, lamp, next, org};

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

pub(crate) fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    diesel::sql_query(sql).get_result::<Number>(conn).unwrap().n
}

/// The number of a rolled-back transaction is lost with the log that was not written to disk, and assigned again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reused_transaction_number_after_a_crash_is_delivered_on_postgres() {
    let options = vec!["wal_writer_delay=10s".to_owned(), "autovacuum=off".to_owned()];
    let mut cluster = Cluster::start(Settings { options, ..Settings::default() }).unwrap();
    let url = cluster.url();
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&evented_tests::db::tables(Database::Postgres)).unwrap();
    let of_hub = url.clone();
    let hub = Hub::of::<Item>().start(move || PgConnection::establish(&of_hub)).unwrap();
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let first = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    assert_eq!(change(&mut feed).await.key(), Some(&first.record.id));
    for _ in 0..50 {
        conn.batch_execute("BEGIN; SELECT txid_current(); ROLLBACK").unwrap();
    }
    let next_number = number(&mut conn, "SELECT txid_snapshot_xmax(txid_current_snapshot()) AS n");
    let last = hub.position::<Item>().unwrap();
    let beyond = Position::new(last.stream(), next_number.cast_unsigned() - 1, 0).in_epoch(last.epoch());
    hub.wait_for(beyond).await.unwrap();
    drop(conn);
    cluster.stop(Stop::Immediate).unwrap();
    cluster.start_again().unwrap();
    let mut conn = PgConnection::establish(&url).unwrap();
    let again = number(&mut conn, "SELECT txid_snapshot_xmax(txid_current_snapshot()) AS n");
    assert!(again < next_number, "the server gives no number again: {again}, {next_number}");
    // Until the hub reconnects, the position that it reports is the one from before the crash.
    while hub.status().reconnects == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let written = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    hub.wait_for(written.position()).await.unwrap();
    let delivered = feed.try_recv().expect("what was waited for is in the buffer");
    assert_eq!(delivered.key(), Some(&written.record.id));
    let written = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    let delivered = next(&mut feed).await.expect("a change").expect("no error");
    assert_eq!(delivered.key(), Some(&written.record.id));
}

/// Restores a backup into a database that is in use.
fn restore(from: &std::path::Path, into: &mut SqliteConnection) {
    let attach = format!("ATTACH '{}' AS backup", from.display());
    into.batch_execute(&attach).unwrap();
    into.batch_execute(
        "BEGIN IMMEDIATE; DROP TRIGGER IF EXISTS items_events_no_delete; \
         DELETE FROM items_events; DELETE FROM items; \
         INSERT INTO items SELECT * FROM backup.items; INSERT INTO items_events SELECT * FROM backup.items_events; \
         COMMIT; DETACH backup",
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_restored_under_a_connection_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, backup) = (folder.path().join("shop.db"), folder.path().join("backup.db"));
    let path = file.to_string_lossy().into_owned();
    let open = move || {
        let mut conn = SqliteConnection::establish(&path)?;
        conn.batch_execute("PRAGMA busy_timeout = 20000").unwrap();
        Ok::<_, diesel::ConnectionError>(conn)
    };
    let mut conn = open().unwrap();
    conn.batch_execute("PRAGMA journal_mode = WAL").unwrap();
    conn.batch_execute(&evented_tests::db::tables(Database::Sqlite)).unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    conn.batch_execute(&format!("VACUUM INTO '{}'", backup.display())).unwrap();
    let hub = Hub::of::<Item>().start(open.clone()).unwrap();
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let mut reader = LogReader::<Item>::from_start();
    let mut last = None;
    for _ in 0..3 {
        last = Some(Item::insert(lamp(org())).recorded().run(&mut conn).unwrap());
    }
    reader.page().run(&mut conn).unwrap();
    hub.wait_for(last.unwrap().position()).await.unwrap();
    for _ in 0..3 {
        change(&mut feed).await;
    }
    restore(&backup, &mut conn);
    for _ in 0..2 {
        Item::insert(lamp(org())).run(&mut conn).unwrap();
    }
    let refused = reader.page().run(&mut conn);
    assert!(matches!(refused, Err(Error::MustRefetch { .. })), "the reader: {refused:?}");
    let end = next(&mut feed).await.unwrap();
    assert!(matches!(end, Err(Interruption::MustRefetch { .. })), "the hub: {end:?}");
}

/// A change that a channel may not see does not match the channel.
#[tokio::test]
async fn a_channel_that_may_see_nothing_asks_for_nothing_on_postgres() {
    let mut db = SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let ours = org();
    let mut feed = hub.subscribe(Item::changes().scope(Item::ORG.eq(ours)).on(Kinds::DELETES)).unwrap();
    feed.add(Item::changes().allowed_by(|_: &Item| false)).unwrap();
    let item = db.run(Item::insert(lamp(ours))).await.unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(item.delete()).await.unwrap();
    assert_eq!(change(&mut feed).await.kind(), evented_feed::ChangeKind::Delete);
}

/// The rows that are read at a read point contain the writes of the same transaction.
#[tokio::test]
async fn a_snapshot_has_what_its_own_transaction_wrote_on_postgres() {
    let mut db = SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let feed = hub.subscribe(Item::changes()).unwrap();
    db.begin().await;
    db.sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await;
    db.run(Item::insert(lamp(org()))).await.unwrap();
    let seen = db.run(Item::read_point()).await.unwrap();
    db.commit().await;
    let after = db.run(Item::insert(lamp(org()))).await.unwrap();
    assert_eq!(change(&mut feed.after(seen)).await.key(), Some(&after.id));
}
