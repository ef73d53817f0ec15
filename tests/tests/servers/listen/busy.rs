//! Tests a file that another connection has locked.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use evented_diesel::migrations::Database;
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::Hub;
use evented_tests::models::Item;

use super::{change, lamp, org};

/// Without SQLite's WAL mode and without a busy timeout, a writer locks readers out.
#[tokio::test]
async fn a_hub_that_is_locked_out_keeps_its_connection_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db").to_string_lossy().into_owned();
    let mut conn = SqliteConnection::establish(&file).unwrap();
    conn.batch_execute("PRAGMA journal_mode = DELETE; PRAGMA busy_timeout = 20000").unwrap();
    conn.batch_execute(&evented_tests::db::tables(Database::Sqlite)).unwrap();
    let hub = Hub::of::<Item>().start(move || SqliteConnection::establish(&file)).unwrap();
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    for _ in 0..5 {
        let item = conn
            .exclusive_transaction(|conn| {
                let item = Item::insert(lamp(org())).run(conn)?;
                std::thread::sleep(std::time::Duration::from_millis(50));
                Ok::<_, evented_diesel::Error>(item)
            })
            .unwrap();
        assert_eq!(change(&mut feed).await.key(), Some(&item.id));
    }
    let status = hub.status();
    assert!(status.connected && status.reconnects == 0, "{status:?}");
}
