//! Tests the rebuild of a table from its log.

use std::sync::{Arc, Mutex};

use diesel::prelude::*;
use evented_diesel::verify::Issue;
use evented_diesel::migrations::Migrations;
use evented_diesel::maintenance::Rebuilt;
use evented_diesel::{Error, Evented, EventedDsl as _, EventedTableDsl as _, Id};
use evented_tests::models::schema::items;
use evented_tests::models::{Counter, CounterChanges, Item, NewCounter, NewItem, NewNote, Note, NoteChanges};
use evented_tests::raw::tamper;
use uuid::Uuid;

use super::Db;

async fn items(db: &mut Db, count: i32) -> Vec<Item> {
    let commands = (0..count).map(|value| {
        Item::insert(NewItem { org_id: Id::new(Uuid::now_v7()), name: format!("item {value}"), value, note: None })
    });
    db.run(evented_diesel::batch(commands)).await.unwrap()
}

#[tokio::test]
async fn a_rebuild_makes_every_row_what_its_log_says_and_touches_no_other() {
    let mut db = Db::new().await;
    let made = items(&mut db, 2_500).await;
    db.run(made[0].delete()).await.unwrap();
    db.sql("UPDATE items SET value = -1 WHERE value BETWEEN 10 AND 19").await;
    db.sql("DELETE FROM items WHERE value > 100").await;
    db.sql("UPDATE items SET note = NULL").await;
    let dry = db.run(Item::rebuild().dry_run()).await.unwrap();
    assert_eq!(dry.len(), 10 + 2_399);
    assert_eq!(dry.iter().filter(|it| it.issue == Issue::RowMissing).count(), 2_399);
    assert_eq!(db.number("SELECT count(*) FROM items").await, 100, "a dry run does nothing");

    let seen = Arc::new(Mutex::new(Vec::new()));
    let delivered = Arc::clone(&seen);
    let rebuild = Item::rebuild().progress(move |progress| delivered.lock().unwrap().push(progress.clone()));
    let done = db.run(rebuild).await.unwrap();
    assert_eq!((done.inserted, done.updated, done.removed), (2_399, 10, 0));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    let rows: Vec<Item> = db.load(items::table.order(items::value).select(Item::as_select())).await;
    assert_eq!(rows, made[1..]);
    assert_eq!(seen.lock().unwrap().last().map(|progress| progress.written), Some(2_409));
    assert_eq!(db.run(Item::rebuild()).await.unwrap(), Rebuilt::default(), "there is nothing left to do");
}

#[tokio::test]
async fn rows_that_the_log_does_not_know_are_removed_and_keys_of_the_database_kept() {
    let mut db = Db::new().await;
    let note = db.run(Note::insert(NewNote { text: "one".into() })).await.unwrap();
    let note = db.run(note.update(NoteChanges { text: Some("two".into()) })).await.unwrap();
    let counter = db.run(Counter::insert(NewCounter { count: 1 })).await.unwrap();
    let counter = db.run(counter.update(CounterChanges { count: Some(5) })).await.unwrap();
    db.sql("INSERT INTO notes (text) VALUES ('nobody recorded this')").await;
    db.sql(&format!("DELETE FROM notes WHERE id = {}", note.id)).await;
    db.sql("DELETE FROM counters").await;
    let done = db.run(Note::rebuild()).await.unwrap();
    assert_eq!((done.inserted, done.updated, done.removed), (1, 0, 1));
    let notes: Vec<Note> = db.load(evented_tests::models::schema::notes::table).await;
    assert_eq!(notes, std::slice::from_ref(&note));
    // The revision column is also written, so that a copy in memory can be written on.
    assert_eq!(db.run(Counter::rebuild()).await.unwrap().inserted, 1);
    assert_eq!(db.run(counter.update(CounterChanges { count: Some(6) })).await.unwrap().revision, 3);
}

#[tokio::test]
async fn a_log_that_cannot_be_replayed_leaves_the_table_as_it_is() {
    let mut db = Db::new().await;
    let made = items(&mut db, 3).await;
    db.sql("UPDATE items SET value = 9").await;
    tamper(&mut db, "items_events", "UPDATE items_events SET action = 'explode' WHERE CAST(payload AS TEXT) LIKE '%item 2%'").await;
    let error = db.run(Item::rebuild()).await.unwrap_err();
    assert!(matches!(&error, Error::Replay { .. }), "{error}");
    assert!(error.to_string().contains(&made[2].id.to_string()), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM items WHERE value = 9").await, 3);
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    parts (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = parts)]
struct Part {
    id: Id<Part>,
    name: String,
}

#[tokio::test]
async fn a_model_of_a_part_of_its_table_cannot_rebuild_it() {
    let mut db = Db::new().await;
    let key = if Db::DATABASE == evented_diesel::migrations::Database::Postgres { "UUID" } else { "BLOB" };
    db.sql(&format!("CREATE TABLE parts (id {key} PRIMARY KEY, name TEXT NOT NULL, secret TEXT, weight INTEGER)")).await;
    db.sql(&Migrations::new().log::<Part>().up_sql(Db::DATABASE)).await;
    db.run(Part::insert(NewPart { name: "wheel".into() })).await.unwrap();
    for error in [db.run(Part::rebuild()).await.unwrap_err(), db.run(Part::rebuild().dry_run()).await.unwrap_err()] {
        let Error::IncompleteModel { schema: "parts", columns } = &error else { panic!("{error}") };
        assert_eq!(columns, &["secret", "weight"]);
    }
}
