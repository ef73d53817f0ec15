//! Tests commands within the caller's transaction, and next to another writer.

use evented_diesel::{Command, Error, EventedDsl as _, Id, batch};
use evented_tests::models::racing::{Advance, NewRacer, Racer};
use evented_tests::models::{Item, NewItem, NewNote, NewPage, Note, Page};
use uuid::Uuid;

use super::Db;

async fn racer(db: &mut Db) -> Racer {
    db.run(Racer::insert(NewRacer { count: 0, note: None })).await.unwrap()
}

fn each_command(racer: &Racer) -> Vec<Command<Racer>> {
    vec![
        racer.advance(Advance(1)),
        Racer::savepoint(racer),
        racer.delete(),
        Racer::insert(NewRacer { count: 0, note: None }),
    ]
}

#[tokio::test]
async fn a_transaction_that_has_read_and_is_overtaken_cannot_write() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let mut other = db.connect().await;
    for (index, command) in each_command(&racer).into_iter().enumerate() {
        db.begin().await;
        let before = db.number("SELECT count FROM racers").await;
        other.run(racer.advance(Advance(10))).await.unwrap();
        let error = db.run(command).await.unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "command {index}: {error}");
        assert!(error.is_retryable());
        assert_eq!(db.number("SELECT count FROM racers").await, before, "its view has not moved");
        // The failed command has written nothing, whether the caller rolls back or not.
        db.commit().await;
        assert_eq!(db.number("SELECT count FROM racers").await, before + 10);
        assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 2 + index as i64);
    }
    db.begin().await;
    assert_eq!(db.number("SELECT count FROM racers").await, 40);
    other.run(racer.advance(Advance(10))).await.unwrap();
    let error = db.run(batch([racer.advance(Advance(1))])).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    db.rollback().await;
    assert_eq!(db.run(racer.advance(Advance(1))).await.unwrap().count, 51);
}

#[tokio::test]
async fn a_transaction_that_is_not_overtaken_writes_after_it_has_read() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    db.begin().await;
    assert_eq!(db.number("SELECT count FROM racers").await, 0);
    for command in each_command(&racer) {
        db.run(command).await.unwrap();
    }
    db.commit().await;
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 5);
}

#[tokio::test]
async fn a_writer_without_a_timeout_gets_an_error_that_the_database_is_locked() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let mut other = db.connect().await;
    other.sql("PRAGMA busy_timeout = 0").await;
    db.begin().await;
    db.run(racer.advance(Advance(1))).await.unwrap();
    for (index, command) in each_command(&racer).into_iter().enumerate() {
        let error = other.run(command).await.unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "command {index}: {error}");
    }
    assert!(other.run(batch([racer.advance(Advance(1))])).await.unwrap_err().is_retryable());
    db.commit().await;
    // The connection still works.
    assert_eq!(other.run(racer.advance(Advance(1))).await.unwrap().count, 2);
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 3);
}

#[tokio::test]
async fn an_error_leaves_the_callers_transaction_as_it_was() {
    let mut db = Db::new().await;
    let taken = || {
        let org_id = Id::new(Uuid::from_u128(1));
        Item::insert(NewItem { org_id, name: "Lamp".into(), value: 3, note: Some("taken".into()) })
    };
    let page = || Page::insert(NewPage { path: "/".into(), title: "Home".into() });
    db.begin().await;
    let racer = racer(&mut db).await;
    db.run(taken()).await.unwrap();
    db.run(page()).await.unwrap();
    assert!(matches!(db.run(taken()).await, Err(Error::Constraint { .. })));
    assert!(matches!(db.run(page()).await, Err(Error::Exists { revision: 1, .. })));
    assert!(matches!(db.run(racer.advance(Advance(1)).expecting(7)).await, Err(Error::Conflict { .. })));
    assert!(matches!(
        db.run(batch([taken(), taken()])).await,
        Err(Error::Batch { index: 0, error: source }) if matches!(*source, Error::Constraint { .. })
    ));
    db.run(racer.advance(Advance(1))).await.unwrap();
    db.commit().await;
    assert_eq!(db.number("SELECT count(*) FROM items").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM pages_events").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 2);
}

#[tokio::test]
async fn a_refused_event_takes_its_row_along_even_if_the_caller_commits() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let note = db.run(Note::insert(NewNote { text: "one".into() })).await.unwrap();
    for log in ["racers_events", "notes_events"] {
        let refuse = "BEGIN SELECT RAISE(ABORT, 'no more events'); END";
        db.sql(&format!("CREATE TRIGGER {log}_full BEFORE INSERT ON {log} {refuse}")).await;
    }
    db.begin().await;
    for command in each_command(&racer) {
        let error = db.run(command).await.unwrap_err();
        assert!(error.to_string().contains("no more events"), "{error}");
    }
    assert!(db.run(note.delete()).await.is_err());
    assert!(db.run(Note::insert(NewNote { text: "two".into() })).await.is_err());
    assert!(db.run(batch([racer.advance(Advance(1)), racer.delete()])).await.is_err());
    db.commit().await;
    assert_eq!(db.number("SELECT count(*) FROM racers").await, 1);
    assert_eq!(db.number("SELECT count FROM racers").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM notes").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 1);
}

/// The database ends the transaction itself, and the error is the one that says why.
#[tokio::test]
async fn a_full_disk_is_reported_as_such() {
    let mut db = Db::new().await;
    let pages = db.number("SELECT page_count FROM pragma_page_count").await;
    db.sql(&format!("PRAGMA max_page_count = {}", pages + 2)).await;
    let new = |number: i32| Note::insert(NewNote { text: format!("{number} {}", "long ".repeat(2_000)) });
    let error = db.run(batch((0..50).map(new).collect::<Vec<_>>())).await.unwrap_err().to_string();
    assert!(error.contains("database or disk is full"), "{error}");
    let page = |number: i32| NewPage { path: format!("/{number}"), title: "long ".repeat(2_000) };
    let error = db.run(batch((0..50).map(page).map(Page::insert).collect::<Vec<_>>())).await.unwrap_err().to_string();
    assert!(error.contains("database or disk is full"), "{error}");
    assert_eq!(db.number("SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM pages)").await, 0);
    db.sql("PRAGMA max_page_count = 100000").await;
    db.run(new(1)).await.unwrap();
}
