//! Tests invalid and unusual input.

use chrono::{TimeDelta, Utc};
use diesel::{QueryDsl, SelectableHelper};
use evented_diesel::migrations::Database;
use evented_diesel::{Error, EventedDsl as _, Id, batch};
use evented_tests::agree::agree;
use evented_tests::models::schema::items;
use evented_tests::models::{AddValue, Archive, Item, ItemChanges, ItemEvent, NewItem, NewPage, Page};
use evented_tests::raw::{self, tamper};
use serde_json::json;
use uuid::Uuid;

use super::Db;

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None }
}

async fn items_agree(db: &mut Db) {
    let rows = db.load(items::table.select(Item::as_select())).await;
    agree(db, rows).await;
}

#[tokio::test]
async fn a_megabyte_is_a_payload_like_any_other() {
    let mut db = Db::new().await;
    let name: String = "Lämp ".chars().cycle().take(1_000_000).collect();
    let item = db.run(Item::insert(NewItem { name: name.clone(), ..lamp() })).await.unwrap();
    let item = db.run(item.archive(Archive { reason: name.clone() }).by(&name)).await.unwrap();
    db.run(Item::savepoint(&item)).await.unwrap();
    let item = db
        .run(item.update(ItemChanges { note: Some(Some("x".into())), ..Default::default() }))
        .await
        .unwrap();
    assert_eq!(item.name, name);
    let history = db.run(Item::history(item.id)).await.unwrap();
    assert_eq!(history[1].event.actor().as_deref(), Some(name.as_str()));
    assert!(
        matches!(history[1].event.decode().unwrap(), ItemEvent::Archive(archive) if archive.reason == name)
    );
    items_agree(&mut db).await;
}

#[tokio::test]
async fn a_nul_byte_is_refused_wherever_it_stands() {
    let mut db = Db::new().await;
    let nul = || "a\0b".to_owned();
    let error = db.run(Item::insert(NewItem { name: nul(), ..lamp() })).await.unwrap_err();
    assert!(matches!(&error, Error::Unstorable { error: source, .. } if source.field == "name"), "{error}");
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let error =
        db.run(item.update(ItemChanges { note: Some(Some(nul())), ..Default::default() })).await.unwrap_err();
    assert!(matches!(&error, Error::Unstorable { error: source, .. } if source.field == "note"), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
    // JSON can represent a NUL. A query over the log that reads the text of such a document fails on PostgreSQL.
    for refused in [
        item.archive(Archive { reason: nul() }),
        item.add_value(AddValue(1)).by(nul()),
        item.add_value(AddValue(1)).meta(json!({ "said": [nul()] })),
        item.add_value(AddValue(1)).meta(json!({ "a\0b": 1 })),
        item.delete().by(nul()),
        Item::savepoint(item.id).by(nul()),
        Item::insert(lamp()).by(nul()),
    ] {
        let error = db.run(refused.clone()).await.unwrap_err();
        assert!(matches!(&error, Error::Encode { .. }) && error.to_string().contains("NUL"), "{error}");
        assert!(db.run(batch([refused])).await.is_err());
    }
    let error = db.run(Page::insert(NewPage { path: nul(), title: "A".into() })).await.unwrap_err();
    assert!(error.to_string().contains("NUL"), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM pages_events").await, 0);
    items_agree(&mut db).await;
}

fn nested(levels: usize) -> serde_json::Value {
    (0..levels).fold(json!(1), |inner, _| serde_json::Value::Array(vec![inner]))
}

/// What cannot be read back is refused before anything is written; what is accepted is read back.
#[tokio::test]
async fn what_is_accepted_can_be_read_back() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    for (meta, accepted) in [
        (json!({ "deep": nested(101) }), true),
        (json!({ "deep": nested(102) }), false),
        (json!({ "deep": nested(500) }), false),
        (json!({ "$serde_json::private::RawValue": "{\"actor\":\"eve\"}" }), false),
        (json!({ "a": [{ "$serde_json::private::Number": "1" }] }), false),
        (json!({ "$serde_json": 1, "a": "$serde_json::private::RawValue" }), true),
        (json!({ "$erased": "0".repeat(64) }), true),
    ] {
        let before = db.number("SELECT count(*) FROM items_events").await;
        let done = db.run(item.add_value(AddValue(1)).meta(meta.clone()).by("ada").recorded()).await;
        assert_eq!(done.is_ok(), accepted, "{meta}: {done:?}");
        let events = db.number("SELECT count(*) FROM items_events").await;
        assert_eq!(events, before + i64::from(accepted));
        if accepted {
            let history = db.run(Item::history(item.id)).await.unwrap();
            let last = &history.last().unwrap().event;
            assert_eq!((last.actor().as_deref(), last.meta().own.len()), (Some("ada"), meta.as_object().unwrap().len()));
        }
    }
    // An actor is read whatever stands beside it, also beside what other SQL wrote.
    let odd = format!("{{\"actor\":\"ada\",\"deep\":{}1{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let json = if Db::DATABASE == Database::Postgres { "::json" } else { "" };
    tamper(&mut db, "items_events", &format!("UPDATE items_events SET meta = '{odd}'{json}")).await;
    assert_eq!(db.run(Item::history(item.id)).await.unwrap()[0].event.actor().as_deref(), Some("ada"));
}

/// An id belongs to one command on one record.
#[tokio::test]
async fn an_id_that_another_command_has_is_an_error() {
    let mut db = Db::new().await;
    let id = Uuid::now_v7();
    let item = db.run(Item::insert(lamp()).idempotent(id)).await.unwrap();
    let changes = ItemChanges { name: Some("Desk".into()), ..Default::default() };
    let (added, other) = (Uuid::now_v7(), Uuid::now_v7());
    db.run(item.add_value(AddValue(1)).idempotent(added)).await.unwrap();
    db.run(item.archive(Archive { reason: "sold".into() }).idempotent(other)).await.unwrap();
    for (reused, action) in [
        (Item::insert(NewItem { name: "Chair".into(), ..lamp() }).idempotent(id), "insert"),
        (item.add_value(AddValue(2)).idempotent(added), "add"),
        (item.update(changes.clone()).idempotent(added), "add"),
        (item.delete().idempotent(added), "add"),
        (Item::savepoint(item.id).idempotent(other), "archive"),
        (item.add_value(AddValue(1)).idempotent(id), "insert"),
    ] {
        for error in
            [db.run(reused.clone()).await.unwrap_err(), db.run(batch([reused.clone()])).await.unwrap_err()]
        {
            let error = match error {
                Error::Batch { error, .. } => *error,
                error => error,
            };
            assert!(matches!(&error, Error::Reused { action: found, .. } if found == action), "{error}");
        }
    }
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 3);
    // The same commands again are what they were.
    assert_eq!(db.run(Item::insert(lamp_of(&item)).idempotent(id)).await.unwrap().id, item.id);
    assert_eq!(db.run(item.add_value(AddValue(1)).idempotent(added)).await.unwrap().value, item.value + 1);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 3);
}

fn lamp_of(item: &Item) -> NewItem {
    NewItem { org_id: item.org_id, name: item.name.clone(), value: item.value, note: item.note.clone() }
}

#[tokio::test]
async fn text_that_looks_like_sql_or_json_is_text() {
    let mut db = Db::new().await;
    for text in [
        "'; DROP TABLE items; --",
        "\"",
        "\\",
        "{\"a\": 1}",
        "null",
        "$1",
        "?",
        "%s",
        "a\nb",
        "🦀",
        "\u{202e}",
    ] {
        let item = db.run(Item::insert(NewItem { name: text.into(), note: None, ..lamp() })).await.unwrap();
        let changes = ItemChanges { note: Some(Some(text.into())), ..Default::default() };
        let item = db.run(item.update(changes).by(text).meta(json!({ text: text }))).await.unwrap();
        assert_eq!((item.name.as_str(), item.note.as_deref()), (text, Some(text)));
        let history = db.run(Item::history(item.id)).await.unwrap();
        assert_eq!(history[1].event.meta().own.get(text), Some(&text.into()));
        let page = db.run(Page::insert(NewPage { path: text.into(), title: text.into() })).await.unwrap();
        assert_eq!(db.run(Page::replay(text.to_owned())).await.unwrap(), Some(page));
    }
    items_agree(&mut db).await;
}

#[tokio::test]
async fn an_empty_history_is_empty_and_no_error() {
    let mut db = Db::new().await;
    let nobody: Id<Item> = Id::new(Uuid::now_v7());
    assert_eq!(db.run(Item::last_position()).await.unwrap(), 0);
    assert_eq!(db.run(Item::replay(nobody)).await.unwrap(), None);
    assert_eq!(db.run(Item::replay(nobody).at_revision(-1)).await.unwrap(), None);
    assert!(db.run(Item::history(nobody)).await.unwrap().is_empty());
    assert!(db.run(Item::recent_events(nobody)).await.unwrap().is_empty());
    for position in [0, -1, i64::MAX] {
        let mut table = Item::table_at(position);
        assert_eq!(db.run(table.page()).await.unwrap(), Some(Vec::new()));
        assert_eq!(db.run(table.page()).await.unwrap(), None);
    }
    let item = db.run(Item::insert(lamp())).await.unwrap();
    for (revision, there) in [(i64::MIN, false), (0, false), (1, true), (i64::MAX, true)] {
        assert_eq!(db.run(Item::replay(item.id).at_revision(revision)).await.unwrap().is_some(), there);
    }
}

#[tokio::test]
async fn a_row_whose_log_is_lost_is_taken_in_again() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    evented_tests::raw::tamper(&mut db, "items_events", "DELETE FROM items_events").await;
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap(), None);
    let gone = db.run(item.delete()).await.unwrap();
    assert_eq!(gone, item);
    let history = db.run(Item::history(item.id)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["external", "delete"]);
    assert_eq!(history[0].after.as_ref(), Some(&item));
}

#[tokio::test]
async fn a_missing_row_is_found_out_once_whatever_is_tried() {
    for command in [
        |item: &Item| item.add_value(AddValue(1)),
        |item: &Item| Item::savepoint(item),
        |item: &Item| item.delete(),
    ] {
        let mut db = Db::new().await;
        let item = db.run(Item::insert(lamp())).await.unwrap();
        db.sql("DELETE FROM items").await;
        for _ in 0..2 {
            let error = db.run(command(&item)).await.unwrap_err();
            assert!(matches!(error, Error::Deleted { revision: 2, .. }), "{error}");
        }
        let history = db.run(Item::history(item.id)).await.unwrap();
        let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
        assert_eq!(actions, ["insert", "external"], "the revision that the error names is there");
        items_agree(&mut db).await;
    }
}

#[tokio::test]
async fn a_payload_without_what_its_version_has_is_an_error_and_no_default() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    // A payload without the name, as if the migration step from version 1, which renames it, were missing.
    evented_tests::raw::tamper(&mut db, "items_events", "UPDATE items_events SET payload = '{\"value\": 3}'").await;
    let error = db.run(Item::replay(item.id)).await.unwrap_err();
    assert!(matches!(&error, Error::Replay { error: source, .. } if source.revision == 1), "{error}");
    assert!(error.to_string().contains("missing field"), "{error}");
    // The row matches its digest, so writes on it still work; the history is as unreadable as before.
    db.run(item.add_value(AddValue(1))).await.unwrap();
    assert!(db.run(Item::replay(item.id)).await.is_err());
}

#[tokio::test]
async fn a_clock_that_is_set_back_changes_no_order() {
    let mut db = Db::new().await;
    let now = Utc::now();
    let item = db.run(Item::insert(lamp()).at(now)).await.unwrap();
    for back in 1..=5 {
        let done =
            db.run(item.add_value(AddValue(1)).at(now - TimeDelta::days(back)).recorded()).await.unwrap();
        assert_eq!(done.revision, back + 1);
        assert_eq!(done.record.updated_at, evented_core::micros(now - TimeDelta::days(back)));
    }
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap().map(|item| item.value), Some(8));
    assert_eq!(db.run(Item::replay(item.id).at_revision(3)).await.unwrap().map(|item| item.value), Some(5));
    items_agree(&mut db).await;
}

#[tokio::test]
async fn an_event_of_another_record_is_not_taken_for_ones_own() {
    let mut db = Db::new().await;
    let one = db.run(Item::insert(lamp())).await.unwrap();
    let two = db.run(Item::insert(lamp())).await.unwrap();
    let id = Uuid::now_v7();
    let done = db.run(one.add_value(AddValue(1)).idempotent(id).recorded()).await.unwrap();
    let other = db.run(two.add_value(AddValue(10)).idempotent(id).recorded()).await.unwrap();
    assert_eq!((done.record.value, other.record.value), (4, 13));
    let again = db.run(one.add_value(AddValue(1)).idempotent(id).recorded()).await.unwrap();
    assert_eq!(again, done);
    items_agree(&mut db).await;
}

#[tokio::test]
async fn a_history_that_goes_on_after_a_delete_without_an_insert_is_an_error() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.run(item.delete()).await.unwrap();
    raw::append(&mut db, "items_events", item.id.uuid(), (3, "add", 2), &json!(1)).await;
    let error = db.run(Item::replay(item.id)).await.unwrap_err();
    assert!(error.to_string().contains("does not exist at this point"), "{error}");
    assert!(matches!(db.run(item.add_value(AddValue(1))).await, Err(Error::Replay { .. })));
}
