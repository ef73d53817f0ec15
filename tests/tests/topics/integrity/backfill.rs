//! Tests the backfill of first events for rows that have none.

use chrono::{DateTime, Utc};
use evented_diesel::{EventedDsl as _, EventedTableDsl as _, KeyValue};
use evented_diesel::migrations::Database;
use evented_tests::models::{AddValue, Counter, CounterChanges, Item, Note, NoteChanges};

use super::Db;

/// Inserts rows without events, as from before the library was used.
async fn old_rows(db: &mut Db, count: i32) {
    let id = match Db::DATABASE {
        Database::Postgres => "gen_random_uuid()",
        Database::Sqlite => "randomblob(16)",
    };
    let time = "'2020-02-02 12:00:00.000000+00:00'";
    let series = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    db.sql(&format!(
        "{series} INSERT INTO items (id, org_id, name, value, inserted_at, updated_at) \
         SELECT {id}, {id}, 'old ' || i, i, {time}, {time} FROM n"
    ))
    .await;
}

#[tokio::test]
async fn each_row_gets_a_first_event_and_stays_as_it_is() {
    let mut db = Db::new().await;
    old_rows(&mut db, 250).await;
    let sum = "SELECT sum(value) FROM items";
    let before = db.number(sum).await;
    let mut backfill = Item::backfill().chunk(100);
    assert_eq!(db.run(backfill.remaining()).await.unwrap(), 250);
    let mut chunks = Vec::new();
    while let Some(done) = db.run(backfill.page()).await.unwrap() {
        assert!(done.skipped.is_empty());
        chunks.push(done.records);
    }
    assert_eq!(chunks, [100, 100, 50]);
    assert_eq!(db.run(Item::backfill().remaining()).await.unwrap(), 0);
    assert_eq!(db.number(sum).await, before);
    assert_eq!(db.number("SELECT count(*) FROM items_events WHERE action = 'external' AND revision = 1").await, 250);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
    assert_eq!(db.run(Item::backfill()).await.unwrap().records, 0, "a second time there is nothing to do");
}

#[tokio::test]
async fn a_hook_sets_the_time_and_the_actor_of_a_backfilled_row() {
    let mut db = Db::new().await;
    old_rows(&mut db, 3).await;
    let backfill = Item::backfill().each(|item, first| {
        first.at = item.inserted_at;
        first.meta.actor = Some("import".into());
    });
    assert_eq!(db.run(backfill).await.unwrap().records, 3);
    use diesel::prelude::*;
    use evented_tests::models::items_events as log;
    let events: Vec<evented_diesel::Event<Item>> =
        db.load(log::table.select(evented_diesel::Event::<Item>::as_select())).await;
    let then: DateTime<Utc> = "2020-02-02T12:00:00Z".parse().unwrap();
    assert!(events.iter().all(|it| it.at() == then && it.actor().as_deref() == Some("import")));
    let item = db.run(Item::replay(events[0].record).as_of(then)).await.unwrap().unwrap();
    assert_eq!((item.inserted_at, item.updated_at), (then, then));
}

#[tokio::test]
async fn keys_that_the_database_made_and_revision_columns_are_brought_up_as_well() {
    let mut db = Db::new().await;
    db.sql("INSERT INTO notes (text) VALUES ('one'), ('two')").await;
    assert_eq!(db.run(Note::backfill()).await.unwrap().records, 2);
    let notes: Vec<Note> = db.load(evented_tests::models::schema::notes::table).await;
    db.run(notes[0].update(NoteChanges { text: Some("first".into()) })).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM notes_events").await, 3);

    let id = if Db::DATABASE == Database::Postgres { "gen_random_uuid()" } else { "randomblob(16)" };
    db.sql(&format!("INSERT INTO counters (id, count, revision_no) VALUES ({id}, 4, 0)")).await;
    assert_eq!(db.run(Counter::backfill()).await.unwrap().records, 1);
    let counters: Vec<Counter> = db.load(evented_tests::models::schema::counters::table).await;
    assert_eq!(counters[0].revision, 1);
    let counter = db.run(counters[0].update(CounterChanges { count: Some(5) })).await.unwrap();
    assert_eq!(counter.revision, 2);
}

#[tokio::test]
async fn a_row_that_was_adopted_meanwhile_is_passed_over() {
    let mut db = Db::new().await;
    old_rows(&mut db, 4).await;
    use evented_tests::models::schema::items;
    let rows: Vec<Item> = db.load(items::table).await;
    let item = db.run(rows[2].add_value(AddValue(1))).await.unwrap();
    let done = db.run(Item::backfill().chunk(1)).await.unwrap();
    assert_eq!(done.records, 3);
    assert_eq!(db.run(Item::history(item.id)).await.unwrap().len(), 2);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn rows_that_no_event_can_record_are_reported_and_the_others_backfilled() {
    if Db::DATABASE == Database::Postgres {
        // PostgreSQL's text cannot contain a NUL.
        return;
    }
    let mut db = Db::new().await;
    old_rows(&mut db, 3).await;
    db.sql("UPDATE items SET name = 'nul ' || char(0) || ' byte' WHERE value = 2").await;
    let done = db.run(Item::backfill().chunk(2)).await.unwrap();
    assert_eq!((done.records, done.skipped.len()), (2, 1));
    assert!(matches!(done.skipped[0].record, KeyValue::Uuid(_)));
    assert!(done.skipped[0].error.to_string().contains("name"), "{}", done.skipped[0].error);
}
