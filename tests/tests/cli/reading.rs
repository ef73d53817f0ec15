//! Tests `log`, `show` and `diff`.

use chrono::{DateTime, TimeDelta, Utc};
use evented_diesel::{EventedDsl as _, Id};
use evented_tests::models::{Archive, Item, ItemChanges, NewItem, NewNote, NewPage, Note, Page, Visit};
use serde_json::json;
use uuid::Uuid;

use super::{Db, run};

fn noon() -> DateTime<Utc> {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

/// Creates an item, and changes and archives it, one hour apart.
async fn lamp(db: &mut Db) -> Item {
    let new = NewItem { org_id: Id::new(Uuid::from_u128(7)), name: "Lamp".into(), value: 30, note: None };
    let item = db.run(Item::insert(new).by("ada").at(noon())).await.unwrap();
    let changes = ItemChanges { name: Some("Desk \u{1b}[31mlamp\u{202e}".into()), ..Default::default() };
    let item =
        db.run(item.update(changes).by("user:7\n日本").at(noon() + TimeDelta::hours(1))).await.unwrap();
    db.run(item.archive(Archive { reason: "sold".into() }).at(noon() + TimeDelta::hours(2))).await.unwrap()
}

#[tokio::test]
async fn log_shows_actors_actions_and_times() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let id = item.id.to_string();
    let log = run(&db, &["log", "items", &id, "--json"]).json(0);
    assert_eq!((&log["schema"], &log["record"]), (&json!("items"), &json!(id)));
    let events = log["events"].as_array().unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(events[1]["actor"], "user:7\n日本");
    assert_eq!(events[1]["at"], "2026-01-31T13:00:00Z");
    assert_eq!(events[1]["changes"][0], json!({"field": "name", "from": "Lamp", "to": item.name}));
    assert_eq!(events[1]["payload"], json!({"name": item.name}));
    assert_eq!((&events[2]["revision"], &events[2]["action"]), (&json!(3), &json!("archive")));

    let text = run(&db, &["log", "items", &id]);
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("log", text.text(0));
    });
}

#[tokio::test]
async fn show_gives_the_fields_now_and_then() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let id = item.id.to_string();
    let shown = run(&db, &["show", "items", &id, "--json"]).json(0);
    assert_eq!((&shown["state"], &shown["revision"]), (&json!("live"), &json!(3)));
    assert_eq!(shown["fields"]["archived_at"], "2026-01-31T14:00:00Z");
    let then = run(&db, &["show", "items", &id, "--json", "--at-revision", "1"]).json(0);
    assert_eq!((&then["fields"]["name"], &then["fields"]["archived_at"]), (&json!("Lamp"), &json!(null)));
    for time in ["2026-01-31 12:59", "2026-01-31T13:30:00+01:00"] {
        let as_of = run(&db, &["show", "items", &id, "--json", "--as-of", time]).json(0);
        assert_eq!(as_of, then, "{time}");
    }
    assert!(run(&db, &["show", "items", &id]).text(0).contains(r#""Desk \u001b[31mlamp\u{202e}""#));

    db.run(item.delete().at(noon() + TimeDelta::hours(3))).await.unwrap();
    let gone = run(&db, &["show", "items", &id, "--json"]).json(0);
    assert_eq!(
        gone,
        json!({"schema": "items", "record": id, "revision": 4, "state": "deleted", "deleted_at": "2026-01-31T15:00:00Z"})
    );
    assert!(
        run(&db, &["show", "items", &id])
            .text(0)
            .ends_with("revision 4: deleted at 2026-01-31 15:00:00 UTC\n")
    );
}

#[tokio::test]
async fn diff_goes_from_any_revision_to_any_other() {
    let mut db = Db::new().await;
    let item = lamp(&mut db).await;
    let id = item.id.to_string();
    let fields = |from: &str, to: &str| {
        let diff = run(&db, &["diff", "items", &id, from, to, "--json"]).json(0);
        let changes = diff["changes"].as_array().unwrap().clone();
        changes.iter().map(|change| change["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(fields("1", "2"), ["name", "updated_at"]);
    assert_eq!(fields("2", "1"), ["name", "updated_at"]);
    assert_eq!(fields("1", "3"), ["name", "archived_at", "updated_at"]);
    assert_eq!(fields("3", "3"), [""; 0]);
    assert!(fields("0", "1").contains(&"value".to_owned()));
    assert_eq!(run(&db, &["diff", "items", &id, "3", "3"]).text(0), "revisions 3 and 3 do not differ\n");
    let table = run(&db, &["diff", "items", &id, "2", "3"]);
    assert!(table.text(0).contains("archived_at   null"), "{table:?}");
}

#[tokio::test]
async fn keys_of_every_kind_are_read() {
    let mut db = Db::new().await;
    let note = db.run(Note::insert(NewNote { text: "Milk".into() })).await.unwrap();
    let new = NewPage { path: "-a b/ü".into(), title: "T".into() };
    let page = db.run(Page::insert(new)).await.unwrap();
    db.run(page.visit(Visit { times: 3 })).await.unwrap();
    let shown = run(&db, &["show", "notes", &note.id.to_string(), "--json"]).json(0);
    assert_eq!((&shown["record"], &shown["fields"]), (&json!(note.id), &json!({"text": "Milk"})));
    let shown = run(&db, &["show", "--json", "pages", "--", "-a b/ü"]).json(0);
    assert_eq!((&shown["record"], &shown["fields"]["views"]), (&json!("-a b/ü"), &json!(3)));
    assert_eq!(run(&db, &["log", "notes", "-7", "--json"]).error(), "notes -7: there is no such record");
}
