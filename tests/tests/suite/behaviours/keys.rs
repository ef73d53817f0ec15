//! Tests keys of every kind.

use evented_diesel::{Error, EventedDsl as _};
use evented_tests::models::{NewNote, NewPage, Note, NoteChanges, Page, Visit};
use uuid::Uuid;

use super::Db;

#[tokio::test]
async fn the_database_makes_an_integer_key() {
    let mut db = Db::new().await;
    let one = db.run(Note::insert(NewNote { text: "one".into() })).await.unwrap();
    let two = db.run(Note::insert(NewNote { text: "two".into() }).recorded()).await.unwrap();
    assert_ne!(one.id, two.record.id);
    assert_eq!(two.revision, 1);
    let one = db.run(one.update(NoteChanges { text: Some("uno".into()) })).await.unwrap();
    assert_eq!(db.run(Note::replay(one.id)).await.unwrap(), Some(one.clone()));
    db.run(one.delete()).await.unwrap();
    assert!(matches!(db.run(Note::replay(one.id)).await, Err(Error::Deleted { .. })));
}

#[tokio::test]
async fn an_idempotent_insert_meets_itself_by_its_event() {
    let mut db = Db::new().await;
    let id = Uuid::now_v7();
    let one = db.run(Note::insert(NewNote { text: "one".into() }).idempotent(id)).await.unwrap();
    let again = db.run(Note::insert(NewNote { text: "one".into() }).idempotent(id)).await.unwrap();
    assert_eq!(one, again);
    assert_eq!(db.number("SELECT count(*) FROM notes").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM notes_events").await, 1);
}

#[tokio::test]
async fn a_key_that_the_database_gives_again_goes_on_with_its_history() {
    let mut db = Db::new().await;
    let note = db.run(Note::insert(NewNote { text: "first".into() })).await.unwrap();
    db.run(note.delete()).await.unwrap();
    if Db::DATABASE == evented_diesel::migrations::Database::Postgres {
        db.sql("ALTER TABLE notes ALTER COLUMN id RESTART").await;
    }
    let again = db.run(Note::insert(NewNote { text: "second".into() }).recorded()).await.unwrap();
    assert_eq!(again.record.id, note.id);
    assert_eq!(again.revision, 3);
    let then = db.run(Note::replay(note.id).at_revision(1)).await.unwrap();
    assert_eq!(then.map(|note| note.text), Some("first".into()));
    assert_eq!(db.run(Note::replay(note.id)).await.unwrap(), Some(again.record));
}

#[tokio::test]
async fn the_caller_gives_a_text_key() {
    let mut db = Db::new().await;
    let new = || NewPage { path: "/".into(), title: "Home".into() };
    let page = db.run(Page::insert(new())).await.unwrap();
    let page = db.run(page.visit(Visit { times: 3 })).await.unwrap();
    assert_eq!((page.path.as_str(), page.views), ("/", 3));
    let error = db.run(Page::insert(new())).await.unwrap_err();
    assert!(matches!(error, Error::Exists { revision: 2, .. }), "{error}");

    db.run(page.delete()).await.unwrap();
    let again = db.run(Page::insert(new()).recorded()).await.unwrap();
    assert_eq!((again.record.views, again.revision), (0, 4));
    assert_eq!(db.run(Page::replay("/".to_owned())).await.unwrap(), Some(again.record));
}

#[tokio::test]
async fn a_savepoint_of_the_users_own_form_leads_to_the_same_state() {
    let mut db = Db::new().await;
    let page = db.run(Page::insert(NewPage { path: "/a".into(), title: "A".into() })).await.unwrap();
    let page = db.run(page.visit(Visit { times: 5 })).await.unwrap();
    db.run(Page::savepoint(&page)).await.unwrap();
    let page = db.run(page.visit(Visit { times: 1 })).await.unwrap();
    assert_eq!(db.run(Page::replay(page.path.clone())).await.unwrap(), Some(page));
}
