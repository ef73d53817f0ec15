//! Rows that the database does not write, and says nothing.

use diesel::prelude::*;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::schema::{items, notes};
use evented_tests::models::*;
use evented_tests::raw;
use uuid::Uuid;

use super::Db;

fn lamp(value: i32) -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: format!("lamp {value}"), value, note: None }
}

/// Runs an operation that must fail because the row was not written.
macro_rules! refused {
    ($db:expr, $operation:expr) => {{
        let error = $db.run($operation).await.unwrap_err();
        let innermost = match &error {
            Error::Batch { error, .. } => error,
            error => error,
        };
        assert!(matches!(innermost, Error::NotWritten { .. } | Error::OtherKey { .. }), "{error:?}");
        assert!(!error.is_retryable() && !error.is_conflict(), "{error:?}");
    }};
}

async fn events(db: &mut Db) -> i64 {
    db.number("SELECT (SELECT count(*) FROM items_events) + (SELECT count(*) FROM notes_events) + (SELECT count(*) FROM pages_events)")
        .await
}

#[tokio::test]
async fn inserts_that_a_trigger_suppresses() {
    let mut db = Db::new().await;
    for table in ["items", "notes", "pages"] {
        raw::suppress(&mut db, table, "INSERT").await;
    }
    // Keys of the library, of the database, of the caller.
    refused!(db, Item::insert(lamp(1)));
    refused!(db, Item::insert(lamp(1)).idempotent(Uuid::now_v7()));
    refused!(db, batch([Item::insert(lamp(1)), Item::insert(lamp(2))]));
    refused!(db, Note::insert(NewNote { text: "n".into() }));
    refused!(db, Note::insert(NewNote { text: "n".into() }).idempotent(Uuid::now_v7()));
    refused!(db, batch([Note::insert(NewNote { text: "n".into() })]));
    let page = || NewPage { path: "/a".into(), title: "A".into() };
    refused!(db, Page::insert(page()));
    refused!(db, batch([Page::insert(page())]));
    refused!(db, Page::upsert(page()).or_ignore());
    assert_eq!(events(&mut db).await, 0);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn changes_that_a_trigger_suppresses() {
    let mut db = Db::new().await;
    let items = db.run(batch([1, 2].map(|value| Item::insert(lamp(value))))).await.unwrap();
    let note = db.run(Note::insert(NewNote { text: "n".into() })).await.unwrap();
    raw::suppress(&mut db, "items", "UPDATE").await;
    raw::suppress(&mut db, "notes", "UPDATE").await;
    refused!(db, items[0].add_value(AddValue(1)));
    refused!(db, items[0].add_value(AddValue(1)).expecting(1));
    refused!(db, items[0].add_value(AddValue(1)).idempotent(Uuid::now_v7()));
    refused!(db, batch(items.iter().map(|item| item.add_value(AddValue(1))).collect::<Vec<_>>()));
    refused!(db, Item::execute_where(items::value.gt(0), AddValue(1)));
    let changes = NoteChanges { text: Some("other".into()) };
    refused!(db, note.update(changes.clone()));
    refused!(db, Note::update_where(notes::text.eq("n"), changes));
    refused!(db, Note { text: "other".into(), ..note }.save());
    assert_eq!(events(&mut db).await, 3);
    // A change that writes nothing has nothing to suppress.
    db.run(items[0].update(ItemChanges::default())).await.unwrap_err();
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Note::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn deletes_that_a_trigger_makes_updates() {
    let mut db = Db::new().await;
    let items = db.run(batch([1, 2].map(|value| Item::insert(lamp(value))))).await.unwrap();
    raw::delete_softly(&mut db, "items", "UPDATE items SET note = 'deleted' WHERE id = OLD.id").await;
    refused!(db, items[0].delete());
    refused!(db, items[0].delete().expecting(1));
    refused!(db, batch(items.iter().map(Item::delete).collect::<Vec<_>>()));
    refused!(db, Item::delete_where(items::value.gt(0)));
    assert_eq!(db.number("SELECT count(*) FROM items WHERE note IS NULL").await, 2);
    assert_eq!(events(&mut db).await, 2);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn a_key_that_a_trigger_changes() {
    let mut db = Db::new().await;
    raw::lower(&mut db, "pages", "path").await;
    let page = |path: &str| NewPage { path: path.into(), title: "A".into() };
    for insert in [Page::insert(page("/A")), Page::insert(page("/A")).idempotent(Uuid::now_v7())] {
        let error = db.run(insert).await.unwrap_err();
        // SQLite changes the key after the insert, and the row is not found.
        let is_known = match &error {
            Error::OtherKey { found, .. } => found == "/a",
            error => matches!(error, Error::NotWritten { .. }),
        };
        assert!(is_known, "{error:?}");
    }
    refused!(db, batch([Page::insert(page("/A")), Page::insert(page("/B"))]));
    assert_eq!(db.number("SELECT count(*) FROM pages").await, 0);
    assert_eq!(events(&mut db).await, 0);
    db.run(Page::insert(page("/a"))).await.unwrap();
    assert_eq!(db.run(Page::verify_table()).await.unwrap(), []);
}

/// The same for an id, which the library made.
#[tokio::test]
async fn an_id_that_a_trigger_changes() {
    let mut db = Db::new().await;
    raw::renumber(&mut db, "items").await;
    for insert in [Item::insert(lamp(1)), Item::insert(lamp(1)).idempotent(Uuid::now_v7())] {
        refused!(db, insert);
    }
    refused!(db, batch([1, 2].map(|value| Item::insert(lamp(value)))));
    assert_eq!(db.number("SELECT count(*) FROM items").await, 0);
    assert_eq!(events(&mut db).await, 0);
}

/// The rest of the caller's transaction is not touched, where the database lets it go on.
#[tokio::test]
async fn within_a_transaction_nothing_of_it_stays() {
    let mut db = Db::new().await;
    raw::suppress(&mut db, "pages", "INSERT").await;
    db.begin().await;
    let note = db.run(Note::insert(NewNote { text: "n".into() })).await.unwrap();
    db.begin().await;
    refused!(db, Page::insert(NewPage { path: "/a".into(), title: "A".into() }));
    db.rollback().await;
    db.run(note.update(NoteChanges { text: Some("other".into()) })).await.unwrap();
    db.commit().await;
    assert_eq!(events(&mut db).await, 2);
}
