//! Tests which other transactions wait for a write.

use std::time::Duration;

use diesel::prelude::*;
use evented_diesel::{Command, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::schema::items;
use evented_tests::models::{AddValue, Item, ItemChanges, NewItem, Org};
use uuid::Uuid;

use super::{Db, waits};

fn lamp(value: i32) -> Command<Item> {
    let name = format!("lamp {value}");
    Item::insert(NewItem { org_id: Id::new(Uuid::from_u128(1)), name, value, note: None })
}

/// Rows that refer to an item.
async fn with_parts() -> (Db, Db, Item) {
    let mut db = Db::new().await;
    db.sql("CREATE TABLE parts (id SERIAL PRIMARY KEY, item_id UUID NOT NULL REFERENCES items (id))").await;
    let item = db.run(lamp(1)).await.unwrap();
    let other = db.connect().await;
    (db, other, item)
}

#[tokio::test]
async fn rows_that_refer_to_a_changed_row_can_be_inserted() {
    let (mut db, mut other, item) = with_parts().await;
    other.sql("SET lock_timeout = '60s'").await;
    let part = format!("INSERT INTO parts (item_id) VALUES ('{}')", item.id);
    for number in 0..6 {
        db.begin().await;
        match number {
            0 => drop(db.run(item.add_value(AddValue(1))).await.unwrap()),
            1 => drop(db.run(batch([item.add_value(AddValue(1))])).await.unwrap()),
            2 => drop(db.run(Item::execute_where(items::value.gt(0), AddValue(1))).await.unwrap()),
            3 => drop(db.run(Item::savepoint(item.id)).await.unwrap()),
            4 => drop(db.run(item.add_value(AddValue(1)).idempotent(Uuid::now_v7())).await.unwrap()),
            _ => {
                // A change that plain SQL made is adopted.
                db.sql("UPDATE items SET value = 70").await;
                db.run(item.add_value(AddValue(1))).await.unwrap();
            }
        }
        // If it waited for the lock, it would wait until the end of this transaction, which comes later.
        tokio::time::timeout(Duration::from_secs(30), other.sql(&part)).await.expect("the insert waits");
        db.commit().await;
    }
    assert_eq!(db.number("SELECT count(*) FROM parts").await, 6);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn rows_that_refer_to_a_deleted_row_wait() {
    let (mut db, mut other, item) = with_parts().await;
    other.sql("SET lock_timeout = '100ms'").await;
    for number in 0..3 {
        db.begin().await;
        match number {
            0 => drop(db.run(item.delete()).await.unwrap()),
            1 => drop(db.run(batch([item.delete()])).await.unwrap()),
            _ => drop(db.run(Item::delete_where(items::value.gt(0))).await.unwrap()),
        }
        let part = format!("INSERT INTO parts (item_id) VALUES ('{}')", item.id);
        let error = other.try_sql(&part).await.unwrap_err();
        assert!(error.to_string().contains("lock timeout"), "{error}");
        db.rollback().await;
    }
}

/// The condition is evaluated on the row as the other writer left it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_another_writer_changed_meanwhile_is_matched_as_it_is_then() {
    let mut db = Db::new().await;
    let made = db.run(batch((1..=4).map(lamp).collect::<Vec<_>>())).await.unwrap();
    let mut other = db.connect().await;
    let pid = db.number("SELECT pg_backend_pid()::bigint").await;
    other.begin().await;
    // One that no longer matches, and one that is changed and still does.
    other.run(made[0].add_value(AddValue(100))).await.unwrap();
    let renamed = ItemChanges { name: Some("other".into()), ..ItemChanges::default() };
    other.run(made[1].update(renamed)).await.unwrap();
    let mut writer = db;
    let many = tokio::spawn(async move {
        let done = writer.run(Item::execute_where(items::value.lt(4), AddValue(10)).records()).await;
        (writer, done)
    });
    waits(&mut other, pid).await;
    other.commit().await;
    let (mut db, done) = many.await.unwrap();
    let mut done: Vec<_> = done.unwrap().into_iter().map(|item| (item.value, item.name)).collect();
    done.sort();
    assert_eq!(done, [(12, "other".to_owned()), (13, "lamp 3".to_owned())]);
    assert_eq!(db.number("SELECT sum(value) FROM items").await, 101 + 12 + 13 + 4);
    assert_eq!(db.number("SELECT count(*) FROM items_events WHERE action = 'external'").await, 0);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

/// The row is as it was, and its history is not: what was read with the row is not its last event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_another_writer_appended_meanwhile_is_followed() {
    let mut db = Db::new().await;
    let made = db.run(batch((1..=4).map(lamp).collect::<Vec<_>>())).await.unwrap();
    let mut other = db.connect().await;
    let pid = db.number("SELECT pg_backend_pid()::bigint").await;
    other.begin().await;
    other.run(Item::savepoint(made[0].id)).await.unwrap();
    // Away, and back.
    other.run(batch([made[1].add_value(AddValue(5)), made[1].add_value(AddValue(-5))])).await.unwrap();
    let mut writer = db;
    let many = tokio::spawn(async move {
        let done = writer.run(Item::execute_where(items::value.gt(0), AddValue(10))).await;
        (writer, done)
    });
    waits(&mut other, pid).await;
    other.commit().await;
    let (mut db, done) = many.await.unwrap();
    assert_eq!(done.unwrap(), 4);
    let lengths = [3, 4, 2, 2];
    for (item, length) in made.iter().zip(lengths) {
        let history = db.run(Item::history(item.id)).await.unwrap();
        let revisions: Vec<i64> = history.iter().map(|entry| entry.event.revision()).collect();
        assert_eq!(revisions, (1..=length).collect::<Vec<_>>());
    }
    assert_eq!(db.number("SELECT sum(value) FROM items").await, 50);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
}

/// Writers that take the same rows in other orders do not deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_changes_of_many_rows_take_them_in_one_order() {
    let mut db = Db::new().await;
    db.run(batch((1..=200).map(lamp).collect::<Vec<_>>())).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..4 {
        let mut conn = db.connect().await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..5 {
                // An index makes one of them read the rows in another order.
                let done = if number % 2 == 0 {
                    conn.run(Item::execute_where(items::value.ge(0), AddValue(1))).await
                } else {
                    conn.run(Item::execute_where(items::org_id.eq(Id::<Org>::new(Uuid::from_u128(1))), AddValue(1))).await
                };
                assert_eq!(done.unwrap(), 200);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(db.number("SELECT sum(value) FROM items").await, 200 * 201 / 2 + 200 * 20);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 200 * 21);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}
