//! Tests the checks of rows against their log, and of events against the present code.

use evented_diesel::verify::Issue;
use evented_diesel::migrations::Database;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, KeyValue};
use evented_tests::models::{AddValue, Item, ItemChanges, NewItem, NewPage, Page, Visit};
use evented_tests::raw::{self, tamper};

use super::Db;

async fn items(db: &mut Db, count: i32) -> Vec<Item> {
    let mut items = Vec::new();
    for value in 0..count {
        let new = NewItem { org_id: Id::new(uuid::Uuid::now_v7()), name: format!("item {value}"), value, note: None };
        items.push(db.run(Item::insert(new)).await.unwrap());
    }
    items
}

#[tokio::test]
async fn every_row_that_differs_from_its_log_is_named_with_its_columns() {
    let mut db = Db::new().await;
    let items = items(&mut db, 5).await;
    db.run(items[4].delete()).await.unwrap();
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    let key = |item: &Item| KeyValue::Uuid(item.id.uuid());
    db.sql("UPDATE items SET value = 77, note = 'by hand' WHERE name = 'item 1'").await;
    db.sql("DELETE FROM items WHERE name = 'item 2'").await;
    db.sql("INSERT INTO items SELECT * FROM items WHERE 1 = 0").await;
    for size in [1, 2, 3, 1000] {
        let (mut check, mut findings) = (Item::verify_table().page_size(size), Vec::new());
        while let Some(checked) = db.run(check.page()).await.unwrap() {
            findings.extend(checked.findings);
        }
        let mut found: Vec<_> = findings.into_iter().map(|it| (it.record, it.issue)).collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let columns = vec!["value".to_owned(), "note".to_owned()];
        assert_eq!(found, [(key(&items[1]), Issue::Row { columns }), (key(&items[2]), Issue::RowMissing)], "{size}");
    }
}

#[tokio::test]
async fn a_row_that_the_log_does_not_know_is_named() {
    let mut db = Db::new().await;
    db.run(Page::insert(NewPage { path: "/b".into(), title: "B".into() })).await.unwrap();
    db.sql("INSERT INTO pages (path, title, views) VALUES ('/a', 'A', 1), ('/c', 'C', 1)").await;
    for size in [1, 100] {
        let (mut check, mut found) = (Page::verify_table().page_size(size), Vec::new());
        while let Some(checked) = db.run(check.page()).await.unwrap() {
            found.extend(checked.findings.into_iter().map(|it| (it.record, it.issue)));
        }
        let surplus = |path: &str| (KeyValue::Text(path.into()), Issue::RowWithoutEvents);
        assert_eq!(found, [surplus("/a"), surplus("/c")]);
    }
}

#[tokio::test]
async fn replay_through_todays_code_gives_what_was_recorded() {
    let mut db = Db::new().await;
    let items = items(&mut db, 4).await;
    for item in &items {
        db.run(item.add_value(AddValue(1))).await.unwrap();
    }
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
    // As if the action had had another effect at that time.
    tamper(&mut db, "items_events", "UPDATE items_events SET payload = '5' WHERE action = 'add'").await;
    let findings = db.run(Item::verify_replay().page_size(3)).await.unwrap();
    assert_eq!(findings.len(), 4);
    assert!(findings.iter().all(|it| it.revision == Some(2) && it.issue == Issue::State), "{findings:?}");
    let sample = db.run(Item::verify_replay().sample(2)).await.unwrap();
    assert!(sample.len() <= findings.len() && sample.iter().all(|it| findings.contains(it)));
    tamper(&mut db, "items_events", "UPDATE items_events SET action = 'explode' WHERE action = 'add'").await;
    let findings = db.run(Item::verify_replay()).await.unwrap();
    assert!(findings.iter().all(|it| matches!(it.issue, Issue::Replay(_))), "{findings:?}");
}

#[tokio::test]
async fn every_path_from_a_savepoint_meets_the_others() {
    let mut db = Db::new().await;
    let page = db.run(Page::insert(NewPage { path: "/".into(), title: "Home".into() })).await.unwrap();
    for times in 1..=3 {
        db.run(page.visit(Visit { times })).await.unwrap();
        db.run(Page::savepoint(page.path.clone())).await.unwrap();
    }
    db.run(page.visit(Visit { times: 10 })).await.unwrap();
    assert_eq!(db.run(Page::verify_savepoints(page.path.clone())).await.unwrap(), []);
    let wrong = "UPDATE pages_events SET payload = '{\"title\":\"Home\",\"views\":99}' WHERE revision = 5";
    tamper(&mut db, "pages_events", wrong).await;
    let findings = db.run(Page::verify_savepoints(page.path.clone())).await.unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].revision, Some(5));
    assert_eq!(findings[0].issue, Issue::Savepoint { columns: vec!["views".to_owned()] });
    // Replay has never used this savepoint.
    let replayed = db.run(Page::replay(page.path.clone()).at_revision(6)).await.unwrap();
    assert_eq!(replayed.map(|page| page.views), Some(6));
    // A savepoint that cannot be read at all is also skipped.
    tamper(&mut db, "pages_events", "UPDATE pages_events SET payload = '[]' WHERE revision = 7").await;
    assert_eq!(db.run(Page::replay(page.path.clone())).await.unwrap().map(|page| page.views), Some(16));
    assert_eq!(db.run(Page::recent_events(page.path.clone())).await.unwrap().len(), 8);
}

/// Rows that refer to rows of later pages, and rows that are surplus and refer to each other.
#[tokio::test]
async fn rows_that_refer_to_each_other_are_rebuilt() {
    let mut db = Db::new().await;
    let first = items(&mut db, 2).await;
    // More events than one page has, between the records that refer to each other.
    let long = raw::long_item(&mut db, 8_300).await;
    db.sql("UPDATE items SET value = 8299 WHERE name = 'Lamp'").await;
    let last = items(&mut db, 2).await;
    let all: Vec<_> = first.iter().chain([&long]).chain(&last).collect();
    // A chain from the first to the last, which refers to itself.
    let next = all.iter().skip(1).chain(all.last());
    for (item, next) in all.iter().zip(next) {
        let changes = ItemChanges { org_id: Some(Id::new(next.id.uuid())), ..ItemChanges::default() };
        db.run(item.update(changes)).await.unwrap();
    }
    let (id, time) = match Db::DATABASE {
        Database::Postgres => ("UUID", "TIMESTAMPTZ"),
        Database::Sqlite => ("BLOB", "TEXT"),
    };
    if Db::DATABASE == Database::Sqlite {
        db.sql("PRAGMA foreign_keys = ON").await;
    }
    db.sql(&format!(
        "DROP TABLE items; CREATE TABLE items (id {id} PRIMARY KEY, org_id {id} NOT NULL REFERENCES items (id), \
         name TEXT NOT NULL, value INTEGER NOT NULL, note TEXT, archived_at {time}, inserted_at {time} NOT NULL, \
         updated_at {time} NOT NULL)"
    ))
    .await;
    assert_eq!(db.run(Item::rebuild()).await.unwrap().inserted, 5);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    // A row that was changed refers to one that is missing.
    let (first, next) = (all[0], all[1]);
    let literal = |item: &Item| raw::uuid_literal(Db::DATABASE, item.id.uuid());
    db.sql(&format!("UPDATE items SET org_id = id WHERE id = {}", literal(first))).await;
    db.sql(&format!("DELETE FROM items WHERE id = {}", literal(next))).await;
    let rebuilt = db.run(Item::rebuild()).await.unwrap();
    assert_eq!((rebuilt.inserted, rebuilt.updated), (1, 1));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    tamper(&mut db, "items_events", "DELETE FROM items_events").await;
    assert_eq!(db.run(Item::rebuild()).await.unwrap().removed, 5);

    // What a trigger suppresses is an error, and no success that did nothing.
    let mut db = Db::new().await;
    items(&mut db, 2).await;
    db.sql("UPDATE items SET value = 77").await;
    raw::suppress(&mut db, "items", "UPDATE").await;
    let error = db.run(Item::rebuild()).await.unwrap_err();
    assert!(matches!(error, Error::NotWritten { .. }), "{error:?}");
}
