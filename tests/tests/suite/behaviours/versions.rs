//! Tests logs that older versions of a model wrote.

use evented_diesel::{Error, EventedDsl as _};
use evented_tests::models::{AddValue, Item, ItemEvent, NewItem};
use uuid::Uuid;

use super::Db;

/// Appends an event as an older program would have written it, for the record that `lamp` creates.
async fn old_event(db: &mut Db, revision: i64, action: &str, version: i32, payload: &serde_json::Value) {
    let id = Uuid::now_v7().simple().to_string();
    let id = match Db::DATABASE {
        evented_diesel::migrations::Database::Postgres => format!("'{id}'"),
        evented_diesel::migrations::Database::Sqlite => format!("x'{id}'"),
    };
    let state = match Db::DATABASE {
        evented_diesel::migrations::Database::Postgres => r"'\x01010101010101010101010101010101'",
        evented_diesel::migrations::Database::Sqlite => "x'01010101010101010101010101010101'",
    };
    db.sql(&format!(
        "INSERT INTO items_events (record_id, revision, at, version, action, payload, id, state) \
         SELECT id, {revision}, inserted_at, {version}, '{action}', '{payload}', {id}, {state} FROM items"
    ))
    .await;
}

async fn lamp(db: &mut Db) -> Item {
    let new = NewItem { org_id: evented_diesel::Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None };
    let item = db.run(Item::insert(new)).await.unwrap();
    evented_tests::raw::tamper(db, "items_events", "DELETE FROM items_events").await;
    item
}

#[tokio::test]
async fn an_old_history_is_brought_to_todays_form_step_by_step() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let org = item.org_id;
    // Version 0 called the name a title; versions 0 and 1 kept the value as text.
    old_event(&mut db, 1, "insert", 0, &serde_json::json!({"org_id": org, "title": "Old", "value": "1"})).await;
    old_event(&mut db, 2, "update", 0, &serde_json::json!({"title": "Lamp"})).await;
    old_event(&mut db, 3, "update", 1, &serde_json::json!({"value": "1"})).await;
    // Actions without named fields need no migration, and stay unchanged.
    old_event(&mut db, 4, "restore", 0, &serde_json::Value::Null).await;
    old_event(&mut db, 5, "add", 1, &serde_json::json!(2)).await;
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().as_ref(), Some(&item));
    let history = db.run(Item::history(item.id)).await.unwrap();
    assert!(matches!(history[0].event.decode().unwrap(), ItemEvent::Insert(new) if new.name == "Old" && new.value == 1));

    // The first write replays, finds that row and log agree, and writes an event of the present version.
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(item.value, 4);
    let versions: Vec<_> =
        db.run(Item::history(item.id)).await.unwrap().into_iter().map(|it| it.event.version()).collect();
    assert_eq!(versions, [0, 0, 1, 0, 1, 2]);
}

#[tokio::test]
async fn an_event_of_an_older_version_does_not_prove_a_row() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    old_event(&mut db, 1, "insert", 0, &serde_json::json!({"org_id": item.org_id, "title": "Lamp", "value": "3"})).await;
    db.sql("UPDATE items SET note = 'by hand'").await;
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!((item.value, item.note.as_deref()), (4, Some("by hand")));
    let history = db.run(Item::history(item.id)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["insert", "external", "add"], "what nobody recorded is found and recorded");
}

#[tokio::test]
async fn an_old_savepoint_is_brought_to_todays_form_too() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let state = serde_json::json!({
        "org_id": item.org_id, "title": "Lamp", "value": "3", "note": null, "archived_at": null,
        "inserted_at": item.inserted_at, "updated_at": item.updated_at,
    });
    old_event(&mut db, 1, "insert", 0, &serde_json::json!({"org_id": item.org_id, "title": "Old", "value": "1"})).await;
    old_event(&mut db, 2, "savepoint", 0, &state).await;
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap(), Some(item));
}

#[tokio::test]
async fn an_action_that_exists_no_more_is_replayed_by_its_function() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let insert = serde_json::json!({"org_id": item.org_id, "name": "Lamp", "value": 4});
    old_event(&mut db, 1, "insert", 2, &insert).await;
    old_event(&mut db, 2, "double", 2, &serde_json::json!({})).await;
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().map(|item| item.value), Some(8));
}

#[tokio::test]
async fn an_alias_keeps_old_rows_readable() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let insert = serde_json::json!({"org_id": item.org_id, "name": "Lamp", "value": 4});
    old_event(&mut db, 1, "insert", 2, &insert).await;
    old_event(&mut db, 2, "put_away", 2, &serde_json::json!({"reason": "sold"})).await;
    let history = db.run(Item::history(item.id)).await.unwrap();
    assert!(matches!(history[1].event.decode().unwrap(), ItemEvent::Archive(archive) if archive.reason == "sold"));
    assert!(history[1].after.as_ref().unwrap().archived_at.is_some());
}

#[tokio::test]
async fn what_cannot_be_replayed_is_an_error_that_names_the_event() {
    let insert = |item: &Item| serde_json::json!({"org_id": item.org_id, "name": "Lamp", "value": 3});
    let cases = [
        ("explode", 2, serde_json::json!({}), "no action of that name"),
        ("add", 9, serde_json::json!(1), "version 9"),
        ("add", 2, serde_json::json!({"by": "much"}), "does not decode"),
        ("external", 2, serde_json::json!({"to": {"value": "much"}, "from": {"value": 1}}), "value"),
    ];
    for (action, version, payload, words) in cases {
        let mut db = Db::new().await;
        let item = lamp(&mut db).await;
        old_event(&mut db, 1, "insert", 2, &insert(&item)).await;
        old_event(&mut db, 2, action, version, &payload).await;
        let error = db.run(Item::replay(item.id)).await.unwrap_err();
        assert!(matches!(&error, Error::Replay { error: source, .. } if source.revision == 2), "{error}");
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("items") && text.contains(action), "{text}");
        // A write on such a record is refused, and changes neither row nor log.
        assert!(matches!(db.run(item.add_value(AddValue(1))).await, Err(Error::Replay { .. })));
        assert_eq!(db.number("SELECT count(*) FROM items_events").await, 2);
        assert_eq!(db.number("SELECT value FROM items").await, 3);
    }
}

#[tokio::test]
async fn a_hole_in_a_history_is_noticed() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let insert = serde_json::json!({"org_id": item.org_id, "name": "Lamp", "value": 3});
    old_event(&mut db, 1, "insert", 2, &insert).await;
    old_event(&mut db, 3, "add", 2, &serde_json::json!(1)).await;
    let error = db.run(Item::replay(item.id)).await.unwrap_err();
    assert!(error.to_string().contains("after revision 1 comes 3"), "{error}");
}
