//! Tests conflicts between two writers.

use evented_diesel::{Error, EventedDsl as _, Id};
use evented_tests::models::{AddValue, Counter, Increment, Item, ItemChanges, NewCounter, NewItem};
use uuid::Uuid;

use super::Db;

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 0, note: None }
}

#[tokio::test]
async fn a_stale_copy_does_no_harm() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.run(item.update(ItemChanges { name: Some("Desk lamp".into()), ..Default::default() })).await.unwrap();
    // `item` still has the name "Lamp": the action is applied to the present record, and the new name stays.
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!((item.name.as_str(), item.value), ("Desk lamp", 1));
}

#[tokio::test]
async fn an_expected_revision_that_is_not_there_is_a_conflict() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let command = || item.add_value(AddValue(1)).expecting(1);
    db.run(command()).await.unwrap();
    let error = db.run(command()).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error}");
    let error = db.run(item.delete().expecting(1)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error}");
    db.run(item.delete().expecting(2)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn writers_of_one_record_lose_nothing() {
    const WRITERS: usize = 6;
    const WRITES: usize = 12;
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..WRITERS {
        let mut db = db.connect().await;
        let item = item.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..WRITES {
                while let Err(error) = db.run(item.add_value(AddValue(1))).await {
                    assert!(error.is_retryable(), "{error}");
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let total = (WRITERS * WRITES) as i64;
    assert_eq!(db.number("SELECT value FROM items").await, total);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, total + 1);
    assert_eq!(db.number("SELECT max(revision) FROM items_events").await, total + 1);
    let replayed = db.run(Item::replay(item.id)).await.unwrap().unwrap();
    assert_eq!(i64::from(replayed.value), total);
}

#[tokio::test]
async fn a_revision_column_counts_along() {
    let mut db = Db::new().await;
    let counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
    assert_eq!(counter.revision, 1);
    let counter = db.run(counter.increment(Increment)).await.unwrap();
    assert_eq!((counter.count, counter.revision), (1, 2));
    let counter = db.run(Counter::savepoint(&counter)).await.unwrap();
    assert_eq!(counter.revision, 3);
    assert_eq!(db.number("SELECT revision_no FROM counters").await, 3);
    assert_eq!(db.run(Counter::replay(counter.id)).await.unwrap(), Some(counter));
}

#[tokio::test]
async fn a_copy_with_an_old_revision_is_read_again() {
    let mut db = Db::new().await;
    let old = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
    db.run(old.increment(Increment)).await.unwrap();
    let counter = db.run(old.increment(Increment)).await.unwrap();
    assert_eq!((counter.count, counter.revision), (2, 3));
}

#[tokio::test]
async fn a_change_behind_a_fresh_revision_is_adopted_with_the_write() {
    let mut db = Db::new().await;
    let counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
    db.sql("UPDATE counters SET count = 40").await;
    // On PostgreSQL the write trusts the current revision and finds the difference in the returned row: the write wins
    // its column. On SQLite the row is read first: the increment is applied to 40.
    let counter = db.run(counter.increment(Increment)).await.unwrap();
    assert_eq!(db.run(Counter::replay(counter.id)).await.unwrap(), Some(counter.clone()));
    assert_eq!(db.number("SELECT count FROM counters").await, counter.count);
    let counter = db.run(Counter::execute_on(counter.id, Increment)).await.unwrap();
    assert_eq!(db.run(Counter::replay(counter.id)).await.unwrap(), Some(counter));
}

#[tokio::test]
async fn a_copy_that_was_changed_by_hand_is_not_believed() {
    let mut db = Db::new().await;
    let mut counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
    counter.count = 50;
    let counter = db.run(counter.increment(Increment)).await.unwrap();
    assert_eq!(counter.count, 1, "the revision was fresh, the copy was not");
    assert_eq!(db.run(Counter::replay(counter.id)).await.unwrap(), Some(counter));
    assert_eq!(db.number("SELECT count(*) FROM counters_events WHERE action = 'external'").await, 0);
}

#[tokio::test]
async fn a_conflict_with_what_was_adopted_is_one_only_once() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.sql("UPDATE items SET value = 7").await;
    let error = db.run(item.add_value(AddValue(1)).expecting(1)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error}");
    let item = db.run(item.add_value(AddValue(1)).expecting(2)).await.unwrap();
    assert_eq!(item.value, 8);
    db.sql("UPDATE items SET value = 9").await;
    assert!(db.run(Item::savepoint(item.id).expecting(3)).await.unwrap_err().is_conflict());
    db.run(Item::savepoint(item.id).expecting(4)).await.unwrap();
}

#[tokio::test]
async fn a_new_record_has_no_revision_to_expect() {
    let mut db = Db::new().await;
    assert!(db.run(Item::insert(lamp()).expecting(3)).await.unwrap_err().is_conflict());
    db.run(Item::insert(lamp()).expecting(0)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
}
