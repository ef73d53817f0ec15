//! Adoption: what other SQL did to a table is recorded in its log.

use std::sync::{Arc, Mutex};

use diesel::prelude::*;
use evented_core::{Evented as _, KeyValue};
use evented_diesel::maintenance::Unrecorded;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::schema::items;
use evented_tests::models::shared::{self, Thing as _};
use evented_tests::models::*;
use evented_tests::raw;
use uuid::Uuid;

use super::concurrency::at_once;
use super::{Db, fresh};

fn lamp(value: i32) -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: format!("lamp {value}"), value, note: None }
}

async fn lamps(db: &mut Db, count: i32) -> Vec<Item> {
    db.run(batch((0..count).map(|value| Item::insert(lamp(value))).collect::<Vec<_>>())).await.unwrap()
}

async fn actions(db: &mut Db, item: &Item) -> Vec<String> {
    let history = db.run(Item::history(item.id)).await.unwrap();
    history.iter().map(|entry| entry.event.action().to_owned()).collect()
}

#[tokio::test]
async fn rows_that_changed_that_are_new_and_that_are_gone() {
    let mut db = Db::new().await;
    let items = lamps(&mut db, 6).await;
    db.run(items[5].delete()).await.unwrap();
    db.sql("UPDATE items SET name = 'other' WHERE value IN (0, 1)").await;
    db.sql("DELETE FROM items WHERE value = 2").await;
    // The row of a deleted record comes back, and a new one appears.
    for (value, id) in [(5, items[5].id.uuid()), (7, Uuid::from_u128(7))] {
        let row = "org_id, name, value, note, inserted_at, updated_at";
        let literal = raw::uuid_literal(Db::DATABASE, id);
        db.sql(&format!(
            "INSERT INTO items (id, {row}) SELECT {literal}, org_id, name, {value}, note, inserted_at, updated_at
             FROM items WHERE value = 3"
        ))
        .await;
    }
    assert_eq!(db.run(Item::verify_table()).await.unwrap().len(), 5);

    let seen = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&seen);
    let adopt = Item::adopt().each(move |unrecorded, event| {
        event.meta.actor = Some("import".into());
        let what = match unrecorded {
            Unrecorded::New(row) => format!("{} is new", row.value),
            Unrecorded::Changed { log, row } => format!("{} is {}", log.name, row.name),
            Unrecorded::Gone(log) => format!("{} is gone", log.value),
            _ => unreachable!(),
        };
        hook.lock().unwrap().push(what);
    });
    let adopted = db.run(adopt).await.unwrap();
    assert_eq!((adopted.new, adopted.changed, adopted.gone, adopted.skipped.len()), (2, 2, 1, 0));
    // The row that the log did not know is compared again with the log.
    assert_eq!((adopted.examined, adopted.recorded()), (8, 5));
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["2 is gone", "5 is new", "7 is new", "lamp 0 is other", "lamp 1 is other"]);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
    assert_eq!(actions(&mut db, &items[0]).await, ["insert", "external"]);
    assert_eq!(actions(&mut db, &items[3]).await, ["insert"]);
    assert_eq!(actions(&mut db, &items[5]).await, ["insert", "delete", "external"]);
    let history = db.run(Item::history(items[1].id)).await.unwrap();
    assert_eq!(history[1].changeset.to_string(), "name: \"lamp 1\" → \"other\"");
    assert_eq!(history[1].event.actor().as_deref(), Some("import"));
    assert!(matches!(db.run(Item::replay(items[2].id)).await, Err(Error::Deleted { revision: 2, .. })));

    // What has been recorded is not recorded again.
    let again = db.run(Item::adopt()).await.unwrap();
    assert_eq!((again.recorded(), again.examined), (0, 7));
    // Commands go on from there.
    let item = db.run(items[0].add_value(AddValue(1))).await.unwrap();
    assert_eq!((item.name.as_str(), item.value), ("other", 1));
}

#[tokio::test]
async fn a_filter_limits_it_to_rows_that_match() {
    let mut db = Db::new().await;
    let items = lamps(&mut db, 6).await;
    db.sql("UPDATE items SET name = 'other' WHERE value IN (0, 1, 4)").await;
    db.sql("DELETE FROM items WHERE value = 2").await;
    let filter = || items::value.lt(3).and(items::name.ne("lamp 9"));
    let adopted = db.run(Item::adopt().filter(filter()).chunk(1)).await.unwrap();
    assert_eq!((adopted.changed, adopted.new, adopted.gone, adopted.examined), (2, 0, 0, 2));
    assert_eq!(actions(&mut db, &items[1]).await, ["insert", "external"]);
    assert_eq!(actions(&mut db, &items[4]).await, ["insert"]);
    assert_eq!(db.run(Item::verify_table()).await.unwrap().len(), 2);
    let adopted = db.run(Item::adopt()).await.unwrap();
    assert_eq!((adopted.changed, adopted.gone), (1, 1));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

/// More records than one statement holds, with histories that start with savepoints.
#[tokio::test]
async fn thousands_of_rows_in_chunks() {
    let mut db = Db::new().await;
    let items = lamps(&mut db, 2_500).await;
    db.run(Item::savepoint(items[0].id)).await.unwrap();
    db.run(items[0].add_value(AddValue(0))).await.unwrap();
    db.sql("UPDATE items SET value = value + 10000 WHERE value < 2000").await;
    db.sql("DELETE FROM items WHERE value BETWEEN 2000 AND 2199").await;
    let mut adopt = Item::adopt().chunk(600);
    let (mut changed, mut gone, mut pages) = (0, 0, 0);
    while let Some(done) = db.run(adopt.page()).await.unwrap() {
        (changed, gone, pages) = (changed + done.changed, gone + done.gone, pages + 1);
        assert!(done.examined <= 600 && done.recorded() <= 600);
    }
    assert!(db.run(adopt.page()).await.unwrap().is_none());
    // One page finds that no row is without events.
    assert_eq!((changed, gone, pages), (2_000, 200, 6));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(actions(&mut db, &items[0]).await, ["insert", "savepoint", "add", "external"]);
}

#[tokio::test]
async fn every_kind_of_key_and_log() {
    let mut db = fresh().await;
    db.run(batch(["a", "b", "c"].map(|text| Note::insert(NewNote { text: text.into() })))).await.unwrap();
    db.sql("INSERT INTO notes (text) VALUES ('by hand')").await;
    db.sql("UPDATE notes SET text = 'z' WHERE text = 'a'").await;
    let adopted = db.run(Note::adopt()).await.unwrap();
    assert_eq!((adopted.new, adopted.changed), (1, 1));
    // A revision field takes the revision of the event.
    let counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
    db.sql("UPDATE counters SET count = 5").await;
    let id = raw::uuid_literal(Db::DATABASE, Uuid::from_u128(1));
    db.sql(&format!("INSERT INTO counters (id, count, revision_no) VALUES ({id}, 7, 0)")).await;
    let adopted = db.run(Counter::adopt()).await.unwrap();
    assert_eq!((adopted.new, adopted.changed), (1, 1));
    assert_eq!(db.number("SELECT sum(revision_no) FROM counters").await, 3);
    let counter = db.run(Counter { count: 5, revision: 2, ..counter }.increment(Increment)).await.unwrap();
    assert_eq!((counter.count, counter.revision), (6, 3));
    let new = |path: &str| Page::insert(NewPage { path: path.into(), title: path.into() });
    db.run(batch(["b", "a/c", "a"].map(new))).await.unwrap();
    db.sql("UPDATE pages SET path = 'a%c' WHERE path = 'a/c'").await;
    let adopted = db.run(Page::adopt().chunk(1)).await.unwrap();
    // Another key is another record.
    assert_eq!((adopted.new, adopted.changed, adopted.gone), (1, 0, 1));
    // Whatever the policy says: whoever adopts has decided that the rows are right.
    db.run(Strict::insert(NewStrict { name: "s".into() })).await.unwrap();
    db.run(Healed::insert(NewHealed { name: "h".into() })).await.unwrap();
    db.sql("UPDATE stricts SET name = 't'").await;
    db.sql("DELETE FROM healed").await;
    assert_eq!(db.run(Strict::adopt()).await.unwrap().changed, 1);
    assert_eq!(db.run(Healed::adopt()).await.unwrap().gone, 1);
    macro_rules! things {
        ($($model:ident $table:ident),*) => {$({
            let made = ["a", "b", "c"].map(|name| shared::$model::insert(shared::$model::new(name, name)));
            let made = db.run(batch(made)).await.unwrap();
            let table = stringify!($table);
            db.sql(&format!("UPDATE {table} SET value = 9 WHERE name = 'a'")).await;
            db.sql(&format!("DELETE FROM {table} WHERE name = 'b'")).await;
            let adopted = db.run(shared::$model::adopt()).await.unwrap();
            assert_eq!((adopted.new, adopted.changed, adopted.gone, adopted.examined), (0, 1, 1, 3));
            assert_eq!(db.run(shared::$model::verify_table()).await.unwrap(), []);
            let added = db.run(shared::$model::execute_on(&made[0], shared::Add(1))).await.unwrap();
            assert_eq!(added.value(), 10);
            assert_eq!(db.run(shared::$model::verify(&made[0])).await.unwrap(), []);
        })*};
    }
    things!(Card cards, Letter letters, Parcel parcels, Shop shops, Town towns);
    for findings in [
        db.run(Note::verify_table()).await.unwrap().len(),
        db.run(Counter::verify_table()).await.unwrap().len(),
        db.run(Page::verify_table()).await.unwrap().len(),
        db.run(Strict::verify_table()).await.unwrap().len(),
        db.run(Healed::verify_table()).await.unwrap().len(),
    ] {
        assert_eq!(findings, 0);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_skipped_with_its_reason() {
    let mut db = Db::new().await;
    let items = lamps(&mut db, 3).await;
    db.sql("UPDATE items SET value = value + 10").await;
    let event = (2, "from elsewhere", Item::VERSION);
    raw::append(&mut db, "items_events", items[0].id.uuid(), event, &serde_json::json!({})).await;
    let adopted = db.run(Item::adopt()).await.unwrap();
    assert_eq!((adopted.changed, adopted.skipped.len()), (2, 1));
    assert_eq!(adopted.skipped[0].record, KeyValue::Uuid(items[0].id.uuid()));
    assert!(matches!(adopted.skipped[0].error, Error::Replay { .. }), "{:?}", adopted.skipped[0]);
    // The next run reports it again.
    assert_eq!(db.run(Item::adopt()).await.unwrap().skipped.len(), 1);
}

#[tokio::test]
async fn in_the_callers_transaction_it_is_part_of_it() {
    let mut db = Db::new().await;
    let items = lamps(&mut db, 2).await;
    db.begin().await;
    db.sql("UPDATE items SET value = 50").await;
    assert_eq!(db.run(Item::adopt()).await.unwrap().changed, 2);
    assert_eq!(actions(&mut db, &items[0]).await, ["insert", "external"]);
    db.rollback().await;
    assert_eq!(actions(&mut db, &items[0]).await, ["insert"]);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

/// Plain SQL, commands and two adoptions at once: afterwards every row is explained by its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn beside_writers() {
    let mut db = Db::new().await;
    let items = Arc::new(lamps(&mut db, 40).await);
    at_once(&db, 4, |task, mut db| {
        let items = Arc::clone(&items);
        async move {
            for round in 0..6 {
                match task {
                    0 => drop(db.run(Item::adopt().chunk(7)).await.unwrap()),
                    1 => drop(db.run(Item::adopt().filter(items::value.ge(0)).chunk(16)).await.unwrap()),
                    2 => {
                        for item in items.iter().skip(round).step_by(6) {
                            match db.run(item.add_value(AddValue(1))).await {
                                Ok(_) | Err(Error::Deleted { .. } | Error::SerializationFailure { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                    _ => {
                        let id = raw::uuid_literal(Db::DATABASE, items[round].id.uuid());
                        db.sql(&format!("DELETE FROM items WHERE id = {id}")).await;
                        // Plain SQL locks rows in any order, and may be the one that a deadlock ends.
                        let _ = db.try_sql("UPDATE items SET name = name || '!'").await;
                    }
                }
            }
        }
    })
    .await;
    db.run(Item::adopt()).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM items").await, 34);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
}
