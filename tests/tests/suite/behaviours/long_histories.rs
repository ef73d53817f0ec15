//! Tests records with histories that are loaded in several parts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evented_diesel::migrations::Database;
use evented_diesel::stream::LogReader;
use evented_diesel::{Evented, EventedDsl as _};
use evented_feed::{Hub, Interruption, Policy};
use evented_tests::models::ledger::wait_for_open_transactions_beside;
use evented_tests::models::{AddValue, Item, NewNote, Note};
use evented_tests::raw::{self, tamper};

use super::Db;

/// More events than two parts of a history have.
const EVENTS: i64 = 9_000;

async fn long_item(db: &mut Db) -> Item {
    raw::long_item(db, EVENTS).await
}

/// Notes on the hub's thread which model a change is delivered of.
struct Noted(Arc<Mutex<Vec<&'static str>>>);

impl<M: Evented> Policy<M> for Noted {
    fn may_see(&self, _: &M) -> bool {
        self.0.lock().unwrap().push(M::SCHEMA);
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_record_does_not_hold_up_other_logs() {
    let mut db = Db::new().await;
    let item = long_item(&mut db).await;
    // A subscription also begins with what is younger than an open transaction of another test.
    wait_for_open_transactions_beside(&mut db, "items_events").await;
    let hub = db.hub(Hub::of::<Item>().and::<Note>()).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut items = hub.subscribe(Item::changes().allowed_by(Noted(Arc::clone(&order)))).unwrap();
    let mut notes = hub.subscribe(Note::changes().allowed_by(Noted(Arc::clone(&order)))).unwrap();
    // The hub sees both writes at once, and reads the items first.
    db.begin().await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(Note::insert(NewNote { text: "Milk".into() })).await.unwrap();
    db.commit().await;
    let in_time = Duration::from_secs(60);
    tokio::time::timeout(in_time, notes.next()).await.unwrap().unwrap().unwrap();
    let change = tokio::time::timeout(in_time, items.next()).await.unwrap().unwrap().unwrap();
    let value = i32::try_from(EVENTS).unwrap();
    assert_eq!((change.before().unwrap().value, change.after().unwrap().value), (value - 1, value));
    let mut order = order.lock().unwrap().clone();
    order.dedup();
    assert_eq!(order, ["notes", "items"]);
}

/// Creates a reader that begins after the last event, once no open transaction of another test can make it begin before.
async fn reader(db: &mut Db) -> LogReader<Item> {
    let open = "SELECT count(*) FROM items_events WHERE txid >= txid_snapshot_xmin(txid_current_snapshot())";
    while Db::DATABASE == Database::Postgres && db.number(open).await > 0 {
        tokio::task::yield_now().await;
    }
    let mut reader = LogReader::from_now();
    db.run(reader.page()).await.unwrap();
    reader
}

/// Reads the next change of the item, and returns its value before it, or the error.
async fn next(db: &mut Db, reader: &mut LogReader<Item>) -> Result<i32, String> {
    let mut page = db.run(reader.page()).await.unwrap();
    // A transaction of another test may delay the change.
    while page.changes.is_empty() {
        page = db.run(reader.page()).await.unwrap();
    }
    assert_eq!(page.changes.len(), 1);
    match page.changes.remove(0) {
        Ok(change) => Ok(change.before().unwrap().value),
        Err(Interruption::Unreadable(unreadable)) => Err(unreadable.source.to_string()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_long_history_is_loaded_from_its_savepoint_or_whole() {
    let mut db = Db::new().await;
    let item = long_item(&mut db).await;
    let value = i32::try_from(EVENTS).unwrap() - 1;
    let mut whole = reader(&mut db).await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(next(&mut db, &mut whole).await, Ok(value));
    // The savepoint has the value of the row, which plain SQL has not raised.
    db.run(Item::savepoint(item.id)).await.unwrap();
    let mut short = reader(&mut db).await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(next(&mut db, &mut short).await, Ok(2));
    // A savepoint that does not have the state that it recorded is not used.
    let other = match Db::DATABASE {
        Database::Postgres => r"'\x01010101010101010101010101010101'",
        Database::Sqlite => "x'01010101010101010101010101010101'",
    };
    let wrong = format!("UPDATE items_events SET state = {other} WHERE action = 'savepoint'");
    tamper(&mut db, "items_events", &wrong).await;
    let mut whole = reader(&mut db).await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(next(&mut db, &mut whole).await, Ok(value + 2));
}

#[tokio::test]
async fn a_long_history_with_a_gap_is_reported_at_each_event_and_ends() {
    for gap in [2, 4_500] {
        let mut db = Db::new().await;
        let item = long_item(&mut db).await;
        let mut reader = reader(&mut db).await;
        tamper(&mut db, "items_events", &format!("DELETE FROM items_events WHERE revision = {gap}")).await;
        for _ in 0..2 {
            db.run(item.add_value(AddValue(1))).await.unwrap();
            let error = next(&mut db, &mut reader).await.unwrap_err();
            assert!(error.contains(&format!("after revision {} comes", gap - 1)), "{error}");
        }
    }
}
