//! Tests what can be read from a log.

use chrono::{DateTime, TimeDelta, Utc};
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, State};
use evented_tests::models::{AddValue, Archive, Item, NewItem};
use uuid::Uuid;

use super::Db;

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 0, note: None }
}

fn day(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::days(n)
}

#[tokio::test]
async fn a_record_is_read_as_it_was_at_a_revision_a_position_or_a_time() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp()).at(day(1))).await.unwrap();
    db.run(item.add_value(AddValue(1)).at(day(2))).await.unwrap();
    let third = db.run(item.add_value(AddValue(1)).at(day(3)).recorded()).await.unwrap();
    db.run(item.add_value(AddValue(1)).at(day(4))).await.unwrap();

    let value = |item: Option<Item>| item.map(|item| item.value);
    assert_eq!(value(db.run(Item::replay(item.id)).await.unwrap()), Some(3));
    assert_eq!(value(db.run(Item::replay(item.id).at_revision(2)).await.unwrap()), Some(1));
    assert_eq!(value(db.run(Item::replay(item.id).at_position(third.log_position())).await.unwrap()), Some(2));
    assert_eq!(value(db.run(Item::replay(item.id).as_of(day(3))).await.unwrap()), Some(2));
    assert_eq!(value(db.run(Item::replay(item.id).as_of(day(0))).await.unwrap()), None);
}

#[tokio::test]
async fn a_clock_that_ran_backwards_does_not_let_the_later_revision_overtake() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp()).at(day(1))).await.unwrap();
    db.run(item.add_value(AddValue(10)).at(day(5))).await.unwrap();
    db.run(item.add_value(AddValue(100)).at(day(2))).await.unwrap();
    let as_of = async |db: &mut Db, at| db.run(Item::replay(item.id).as_of(at)).await.unwrap().map(|item| item.value);
    assert_eq!(as_of(&mut db, day(3)).await, Some(0));
    assert_eq!(as_of(&mut db, day(5)).await, Some(110));
    // Also with a savepoint after the requested time.
    db.run(Item::savepoint(item.id).at(day(2))).await.unwrap();
    assert_eq!(as_of(&mut db, day(3)).await, Some(0));
}

#[tokio::test]
async fn a_deleted_record_says_when_and_by_which_revision() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp()).at(day(1))).await.unwrap();
    db.run(item.delete().at(day(2))).await.unwrap();
    match db.run(Item::replay(item.id)).await.unwrap_err() {
        Error::Deleted { at, revision, .. } => assert_eq!((at, revision), (day(2), 2)),
        other => panic!("{other}"),
    }
    assert_eq!(
        db.run(Item::replay(item.id).state()).await.unwrap(),
        State::Deleted { at: day(2), revision: 2 }
    );
    assert_eq!(db.run(Item::replay(item.id).as_of(day(1))).await.unwrap().as_ref(), Some(&item));
}

#[tokio::test]
async fn a_savepoint_is_a_short_cut_and_nothing_else() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let item = db.run(item.add_value(AddValue(5))).await.unwrap();
    let saved = db.run(Item::savepoint(&item).by("cron").recorded()).await.unwrap();
    assert_eq!((saved.revision, &saved.record), (3, &item));
    let item = db.run(item.archive(Archive { reason: "x".into() })).await.unwrap();
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().as_ref(), Some(&item));

    let recent = db.run(Item::recent_events(item.id)).await.unwrap();
    let actions: Vec<_> = recent.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["savepoint", "archive"]);
    let before = db.run(Item::previous_events(&recent[0].event)).await.unwrap();
    assert_eq!(before.len(), 3);

    // A savepoint that can no longer be read, or that has another state, is skipped.
    for payload in ["{}", r#"{"name": 7}"#, "[]"] {
        evented_tests::raw::tamper(&mut db, "items_events", &format!("UPDATE items_events SET payload = '{payload}' WHERE action = 'savepoint'")).await;
        assert_eq!(db.run(Item::replay(item.id)).await.unwrap().as_ref(), Some(&item));
    }
    let wrong = serde_json::json!({
        "org_id": item.org_id, "name": "Other", "value": 1, "inserted_at": item.inserted_at,
        "updated_at": item.updated_at
    });
    evented_tests::raw::tamper(&mut db, "items_events", &format!("UPDATE items_events SET payload = '{wrong}' WHERE action = 'savepoint'")).await;
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().as_ref(), Some(&item));
}

#[tokio::test]
async fn a_missing_row_is_written_from_the_log() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let item = db.run(item.add_value(AddValue(5))).await.unwrap();
    assert!(matches!(db.run(Item::materialize(item.id)).await, Err(Error::Exists { revision: 2, .. })));
    db.sql("DELETE FROM items").await;
    assert_eq!(db.run(Item::materialize(item.id)).await.unwrap(), item);
    assert_eq!(db.number("SELECT count(*) FROM items WHERE value = 5").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 2, "the log was right already");
    db.run(item.delete()).await.unwrap();
    assert!(matches!(db.run(Item::materialize(item.id)).await, Err(Error::Deleted { revision: 3, .. })));
    let nobody: Id<Item> = Id::new(Uuid::now_v7());
    assert!(matches!(db.run(Item::materialize(nobody)).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_whole_table_is_read_as_it_was_at_a_position() {
    let mut db = Db::new().await;
    let mut items = Vec::new();
    for n in 0..10 {
        items.push(db.run(Item::insert(NewItem { name: format!("{n}"), ..lamp() })).await.unwrap());
    }
    for _ in 0..5 {
        db.run(items[3].add_value(AddValue(1))).await.unwrap();
    }
    db.run(items[4].delete()).await.unwrap();
    let position = db.run(Item::last_position()).await.unwrap();
    for item in &items[5..] {
        db.run(item.delete()).await.unwrap();
    }
    for page_size in [1, 2, 3, 100] {
        let mut table = Item::table_at(position).page_size(page_size);
        let mut names = Vec::new();
        while let Some(page) = db.run(table.page()).await.unwrap() {
            names.extend(page.into_iter().map(|item| (item.name, item.value)));
        }
        names.sort();
        let expected: Vec<_> =
            [0, 1, 2, 3, 5, 6, 7, 8, 9].map(|n| (n.to_string(), if n == 3 { 5 } else { 0 })).into();
        assert_eq!(names, expected, "pages of {page_size}");
    }
}
