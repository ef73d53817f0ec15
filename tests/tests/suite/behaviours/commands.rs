//! Tests the effects of commands on row and log.

use chrono::{TimeDelta, Utc};
use evented_diesel::{Error, EventedDsl as _, Id};
use evented_tests::models::{AddValue, Archive, Item, ItemChanges, ItemEvent, NewItem, Restore};
use uuid::Uuid;

use super::Db;

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None }
}

#[tokio::test]
async fn a_new_record_is_a_row_and_an_event() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp()).by("user:7")).await.unwrap();
    assert_eq!((item.name.as_str(), item.value, &item.note), ("Lamp", 3, &None));
    assert_eq!(item.inserted_at, item.updated_at);
    assert_eq!(db.number("SELECT count(*) FROM items").await, 1);

    let history = db.run(Item::history(item.id)).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].event.action(), "insert");
    assert_eq!(history[0].event.actor().as_deref(), Some("user:7"));
    assert_eq!(history[0].event.at(), item.inserted_at);
    assert_eq!(history[0].after.as_ref(), Some(&item));
    assert_eq!(history[0].event.id(), item.id.uuid(), "a record's id is the id of its first event");
    assert!(matches!(history[0].event.decode().unwrap(), ItemEvent::Insert(new) if new.name == "Lamp"));
}

#[tokio::test]
async fn an_action_changes_the_row_and_records_actor_time_and_reason() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let (cause, request) = (Uuid::now_v7(), Uuid::now_v7());
    let archived = db
        .run(
            item.archive(Archive { reason: "sold".into() })
                .by("user:7")
                .meta(serde_json::json!({"ip": "::1"}))
                .caused_by(cause)
                .correlate(request)
                .recorded(),
        )
        .await
        .unwrap();
    assert!(archived.record.archived_at.is_some());
    assert!(archived.record.updated_at >= item.updated_at);
    assert_eq!(archived.revision, 2);
    let history = db.run(Item::history(&item)).await.unwrap();
    let meta = history[1].event.meta();
    assert_eq!(meta.actor.as_deref(), Some("user:7"));
    assert_eq!((meta.cause, meta.correlation), (Some(cause), Some(request)));
    assert_eq!(meta.own.get("ip"), Some(&"::1".into()));
    assert_eq!(history[1].event.log_position(), archived.log_position());
    let fields: Vec<_> = history[1].changeset.iter().map(|change| change.field).collect();
    assert_eq!(fields, ["archived_at", "updated_at"]);
}

#[tokio::test]
async fn an_update_writes_what_it_names_and_nothing_else() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(NewItem { note: Some("old".into()), ..lamp() })).await.unwrap();
    let changes = ItemChanges { value: Some(4), note: Some(None), ..Default::default() };
    let updated = db.run(item.update(changes)).await.unwrap();
    assert_eq!((updated.value, updated.note.clone(), updated.name.as_str()), (4, None, "Lamp"));
    assert_eq!(db.number("SELECT count(*) FROM items WHERE note IS NULL AND value = 4").await, 1);
    let replayed = db.run(Item::replay(item.id)).await.unwrap();
    assert_eq!(replayed, Some(updated), "null in an update is not the same as nothing said");
}

#[tokio::test]
async fn a_field_set_back_to_its_default_reaches_the_row() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let item = db.run(item.archive(Archive { reason: "sold".into() })).await.unwrap();
    let item = db.run(item.restore(Restore)).await.unwrap();
    assert_eq!(item.archived_at, None);
    assert_eq!(db.number("SELECT count(*) FROM items WHERE archived_at IS NULL").await, 1);
}

#[tokio::test]
async fn a_delete_removes_the_row_and_leaves_the_log() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let item = db.run(item.execute_add(2)).await.unwrap();
    let gone = db.run(item.delete().by("user:8")).await.unwrap();
    assert_eq!(gone, item);
    assert_eq!(db.number("SELECT count(*) FROM items").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 3);
    match db.run(Item::replay(item.id)).await {
        Err(Error::Deleted { revision: 3, .. }) => {}
        other => panic!("{other:?}"),
    }
    for command in [item.delete(), item.add_value(AddValue(1))] {
        assert!(matches!(db.run(command).await, Err(Error::Deleted { revision: 3, .. })));
    }
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 3);
}

trait ExecuteAdd {
    fn execute_add(&self, by: i32) -> evented_diesel::Command<Item>;
}
impl ExecuteAdd for Item {
    /// A command by key and action, as generic code creates it.
    fn execute_add(&self, by: i32) -> evented_diesel::Command<Item> {
        Item::execute_on(self.id, AddValue(by))
    }
}

#[tokio::test]
async fn an_unknown_record_is_not_found() {
    let mut db = Db::new().await;
    let nobody: Id<Item> = Id::new(Uuid::now_v7());
    for command in [Item::execute_on(nobody, AddValue(1)), Item::delete_by(nobody), Item::savepoint(nobody)] {
        let error = db.run(command).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        assert!(error.is_missing());
    }
    assert_eq!(db.run(Item::replay(nobody)).await.unwrap(), None);
}

#[tokio::test]
async fn invalid_input_writes_nothing() {
    let mut db = Db::new().await;
    let error = db.run(Item::insert(NewItem { name: String::new(), value: -1, ..lamp() })).await.unwrap_err();
    let faults = error.validation_errors().expect("faults");
    assert_eq!(faults.to_string(), "name is empty; value is negative");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 0);

    let item = db.run(Item::insert(lamp())).await.unwrap();
    let item = db.run(item.archive(Archive { reason: "sold".into() })).await.unwrap();
    let error = db.run(item.archive(Archive { reason: "again".into() })).await.unwrap_err();
    assert!(error.to_string().contains("archived_at is already archived"), "{error}");
    let error = db.run(item.add_value(AddValue(-100))).await.unwrap_err();
    assert!(error.to_string().contains("value is negative"), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 2);
}

#[tokio::test]
async fn a_changeset_shows_what_would_change_and_writes_nothing() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let changes = item.changeset(&AddValue(2)).unwrap();
    assert_eq!(changes.get("value").map(|change| (change.from.clone(), change.to.clone())), Some((3.into(), 5.into())));
    assert!(item.changeset(&AddValue(-100)).is_err());
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
}

#[tokio::test]
async fn an_idempotent_command_runs_once_and_gives_its_first_result() {
    let mut db = Db::new().await;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    let new = lamp();
    let item = db.run(Item::insert(new.clone()).idempotent(first)).await.unwrap();
    let again = db.run(Item::insert(new).idempotent(first)).await.unwrap();
    assert_eq!(item, again);

    let added = db.run(item.add_value(AddValue(2)).idempotent(second).recorded()).await.unwrap();
    db.run(item.add_value(AddValue(10))).await.unwrap();
    let again = db.run(item.add_value(AddValue(2)).idempotent(second).recorded()).await.unwrap();
    assert_eq!(added, again);

    let delete = Uuid::now_v7();
    let gone = db.run(item.delete().idempotent(delete)).await.unwrap();
    assert_eq!(db.run(item.delete().idempotent(delete)).await.unwrap(), gone);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 4);
}

#[tokio::test]
async fn an_import_says_when_it_happened() {
    let mut db = Db::new().await;
    let long_ago = Utc::now() - TimeDelta::days(400);
    let item = db.run(Item::insert(lamp()).at(long_ago)).await.unwrap();
    assert_eq!(item.inserted_at, evented_core::micros(long_ago));
}

#[tokio::test]
async fn a_command_is_part_of_the_callers_transaction() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.begin().await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(Item::insert(NewItem { name: "Desk".into(), ..lamp() })).await.unwrap();
    db.rollback().await;
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().map(|item| item.value), Some(3));
}

#[tokio::test]
async fn a_constraint_leaves_neither_row_nor_event() {
    let mut db = Db::new().await;
    let new = NewItem { note: Some("the one".into()), ..lamp() };
    db.run(Item::insert(new.clone())).await.unwrap();
    match db.run(Item::insert(new.clone())).await.unwrap_err() {
        Error::Constraint { columns, .. } => assert_eq!(columns, ["org_id", "note"]),
        other => panic!("{other}"),
    }
    let other = db.run(Item::insert(NewItem { note: None, ..new.clone() })).await.unwrap();
    let error = db.run(other.update(ItemChanges { note: Some(new.note), ..Default::default() })).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM items").await, 2);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 2);
}

#[tokio::test]
async fn an_actor_in_the_meta_is_the_actor() {
    let mut db = Db::new().await;
    let meta = serde_json::json!({"actor": "ada", "cause": "not an id", "ip": "::1"});
    let item = db.run(Item::insert(lamp()).meta(meta)).await.unwrap();
    let history = db.run(Item::history(item.id)).await.unwrap();
    let meta = history[0].event.meta();
    assert_eq!(meta.actor.as_deref(), Some("ada"));
    assert_eq!((meta.cause, meta.own.len()), (None, 2), "what is no id stays the caller's own");
}
