//! Tests rows that were changed without the log.

use evented_diesel::{Error, EventedDsl as _, Id};
use evented_tests::models::{
    AddValue, Healed, HealedChanges, Item, ItemEvent, NewHealed, NewItem, NewStrict, Strict, StrictChanges,
};
use uuid::Uuid;

use super::Db;

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None }
}

#[tokio::test]
async fn adopt_records_what_nobody_recorded() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.sql("UPDATE items SET name = 'By hand', note = 'x'").await;
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!((item.name.as_str(), item.note.as_deref(), item.value), ("By hand", Some("x"), 4));
    let history = db.run(Item::history(&item)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["insert", "external", "add"]);
    assert_eq!(history[1].changeset.to_string(), r#"name: "Lamp" → "By hand", note: null → "x""#);
    assert_eq!(history[2].after.as_ref(), Some(&item));
    let ItemEvent::External(external) = history[1].event.decode().unwrap() else { panic!() };
    assert_eq!(external.from.unwrap().get("name"), Some(&"Lamp".into()));
    // From now on log and row agree: one action writes one event.
    db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 4);
}

#[tokio::test]
async fn adopt_takes_in_a_row_that_the_log_does_not_know() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    evented_tests::raw::tamper(&mut db, "items_events", "DELETE FROM items_events").await;
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(item.value, 4);
    let history = db.run(Item::history(&item)).await.unwrap();
    assert_eq!(history[0].event.action(), "external");
    assert_eq!(history[0].after.as_ref().map(|item| item.value), Some(3));
    assert_eq!(history[1].after.as_ref(), Some(&item));
}

#[tokio::test]
async fn adopt_records_that_a_row_is_gone() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.sql("DELETE FROM items").await;
    let error = db.run(item.add_value(AddValue(1))).await.unwrap_err();
    assert!(matches!(error, Error::Deleted { revision: 2, .. }), "{error}");
    assert!(matches!(db.run(Item::replay(item.id)).await, Err(Error::Deleted { revision: 2, .. })));
    assert!(matches!(db.run(item.delete()).await, Err(Error::Deleted { revision: 2, .. })));
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 2);
}

#[tokio::test]
async fn adopt_records_that_a_row_came_back() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.sql("CREATE TABLE kept AS SELECT * FROM items").await;
    db.run(item.delete()).await.unwrap();
    db.sql("INSERT INTO items SELECT * FROM kept").await;
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(item.value, 4);
    let history = db.run(Item::history(&item)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["insert", "delete", "external", "add"]);
}

#[tokio::test]
async fn a_delete_keeps_what_nobody_recorded() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.sql("UPDATE items SET name = 'By hand'").await;
    let gone = db.run(item.delete()).await.unwrap();
    assert_eq!(gone.name, "By hand");
    let history = db.run(Item::history(&item)).await.unwrap();
    assert!(history.iter().any(|entry| entry.after.as_ref().is_some_and(|item| item.name == "By hand")));
    assert!(matches!(db.run(Item::replay(item.id)).await, Err(Error::Deleted { .. })));
}

#[tokio::test]
async fn refuse_names_the_columns_and_writes_nothing() {
    let mut db = Db::new().await;
    let strict = db.run(Strict::insert(NewStrict { name: "as is".into() })).await.unwrap();
    db.sql("UPDATE stricts SET name = 'by hand'").await;
    let change = || strict.update(StrictChanges { name: Some("new".into()) });
    for command in [change(), strict.delete(), Strict::savepoint(strict.id)] {
        match db.run(command).await.unwrap_err() {
            Error::Drift { columns, revision: 1, .. } => assert_eq!(columns, ["name"]),
            other => panic!("{other}"),
        }
    }
    assert_eq!(db.number("SELECT count(*) FROM stricts_events").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM stricts WHERE name = 'by hand'").await, 1);
    db.sql("UPDATE stricts SET name = 'as is'").await;
    db.run(change()).await.unwrap();
}

#[tokio::test]
async fn heal_overwrites_the_row_and_records_the_overwritten_values() {
    let mut db = Db::new().await;
    let healed = db.run(Healed::insert(NewHealed { name: "as is".into() })).await.unwrap();
    assert_eq!(healed.by_database, 7);
    db.sql("UPDATE healed SET name = 'by hand', by_database = 8").await;
    let savepoint = db.run(Healed::savepoint(healed.id)).await.unwrap();
    assert_eq!((savepoint.name.as_str(), savepoint.by_database), ("as is", 8));
    db.sql("UPDATE healed SET name = 'by hand again'").await;
    let changed = db.run(healed.update(HealedChanges { name: Some("new".into()) })).await.unwrap();
    assert_eq!(changed.name, "new");
    let history = db.run(Healed::history(healed.id)).await.unwrap();
    assert_eq!(history.len(), 3);
    assert!(history[2].event.meta().own.get("overwrote").is_some_and(|it| it["name"] == "by hand again"));

    db.sql("DELETE FROM healed").await;
    let back = db.run(healed.update(HealedChanges { name: Some("back".into()) })).await.unwrap();
    assert_eq!(back.name, "back");
    assert_eq!(db.number("SELECT count(*) FROM healed WHERE name = 'back'").await, 1);
}

#[tokio::test]
async fn a_column_of_the_database_is_nobodys_drift() {
    let mut db = Db::new().await;
    let healed = db.run(Healed::insert(NewHealed { name: "x".into() })).await.unwrap();
    db.sql("UPDATE healed SET by_database = 9").await;
    let healed = db.run(healed.update(HealedChanges { name: Some("y".into()) })).await.unwrap();
    assert_eq!(healed.by_database, 9, "read, never written");
    assert_eq!(db.number("SELECT count(*) FROM healed_events").await, 2);
}
