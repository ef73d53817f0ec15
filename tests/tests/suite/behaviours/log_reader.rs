//! Tests the log reader: reading page by page, and positions that it cannot resume from.

use std::time::Duration;

use evented_diesel::stream::LogReader;
use evented_feed::{Change, Feed, Hub, Interruption, Position};
use evented_diesel::{Error, EventedDsl as _, Id, Model};
use evented_tests::models::{AddValue, Item, NewItem, Note, Org};
use evented_tests::raw;
use uuid::Uuid;

use super::Db;

fn org() -> Id<Org> {
    Id::new(Uuid::now_v7())
}

fn lamp(org_id: Id<Org>) -> NewItem {
    NewItem { org_id, name: "Lamp".into(), value: 0, note: None }
}

async fn next<M: Model>(feed: &mut Feed<M>) -> Option<Result<Change<M>, Interruption>> {
    tokio::time::timeout(Duration::from_secs(60), feed.next()).await.expect("in time")
}

#[tokio::test]
async fn a_reader_goes_page_by_page_and_on_from_where_it_was() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    let mut reader = LogReader::<Item>::from_start().page_size(2);
    let mut now = LogReader::<Item>::from_now();
    let here = db.run(now.page()).await.unwrap();
    assert!(!here.more);
    for _ in 0..5 {
        db.run(item.add_value(AddValue(1))).await.unwrap();
    }
    let mut values = Vec::new();
    while values.len() < 4 {
        let page = db.run(reader.page()).await.unwrap();
        values.extend(page.changes.into_iter().map(|change| change.unwrap().after().unwrap().value));
    }
    // Another reader resumes, and must load the earlier state.
    let mut other = LogReader::<Item>::resume(reader.position().unwrap());
    while values.len() < 6 {
        let page = db.run(other.page()).await.unwrap();
        for change in page.changes {
            let change = change.unwrap();
            assert_eq!(change.before().map(|it| it.value + 1), change.after().map(|it| it.value));
            values.push(change.after().unwrap().value);
        }
    }
    assert_eq!(values, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn an_unreadable_event_is_reported_and_the_stream_continues() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    let hub = db.hub(Hub::of::<Item>()).await;
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let mut scoped = hub.subscribe(Item::changes().scope(Item::ORG.eq(org()))).unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    let other = db.run(Item::insert(lamp(org()))).await.unwrap();
    let newer = serde_json::json!({});
    raw::append(&mut db, "items_events", item.id.uuid(), (3, "add", 9), &newer).await;
    db.run(other.add_value(AddValue(1))).await.unwrap();
    // A reader that sees only a part of the records does not learn the record of the event.
    let error = loop {
        if let Err(error) = next(&mut scoped).await.unwrap() {
            break error;
        }
    };
    assert!(!error.to_string().contains(&item.id.to_string()), "{error}");
    let mut seen = Vec::new();
    loop {
        match next(&mut feed).await.unwrap() {
            Ok(change) => seen.push(change.after().unwrap().value),
            Err(error) => {
                assert!(!error.is_final() && error.to_string().contains("version 9"), "{error}");
                seen.push(-1);
            }
        }
        if seen.ends_with(&[-1, 1]) {
            break;
        }
    }
}

#[tokio::test]
async fn a_position_of_another_stream_or_database_is_noticed() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    let hub = db.hub(Hub::of::<Item>().and::<Note>()).await;
    let strange = Position::new(item.position().stream(), item.position().major(), item.position().minor());
    for position in [strange.anchored(7), Position::new(strange.stream(), strange.major(), 9_999).anchored(1)] {
        let mut feed = hub.subscribe_from(Item::changes(), position).unwrap();
        let end = next(&mut feed).await.unwrap().unwrap_err();
        assert!(matches!(end, Interruption::MustRefetch { .. }), "{end}");
        assert!(next(&mut feed).await.is_none());
        let refused = db.run(LogReader::<Item>::resume(position).page()).await.unwrap_err();
        assert!(matches!(refused, Error::MustRefetch { .. }), "{refused}");
    }
    let mut feed = hub.subscribe_from(Note::changes(), item.position()).unwrap();
    assert!(matches!(next(&mut feed).await.unwrap(), Err(Interruption::MustRefetch { .. })));
    let refused = db.run(LogReader::<Note>::resume(item.position()).page()).await.unwrap_err();
    assert!(matches!(refused, Error::Position { .. }), "{refused}");
}

/// A reader that does not know the state of a record loads its history from the last savepoint on, and only once.
#[tokio::test]
async fn a_savepoint_shortens_listening() {
    const RECORDS: usize = 4;
    let mut db = Db::new().await;
    let mut items = Vec::new();
    for _ in 0..RECORDS {
        let item = db.run(Item::insert(lamp(org()))).await.unwrap();
        for _ in 0..5 {
            db.run(item.add_value(AddValue(1))).await.unwrap();
        }
        db.run(Item::savepoint(item.id)).await.unwrap();
        items.push(item);
    }
    let mut reader = LogReader::<Item>::resume(position_of_now(&mut db).await);
    for item in &items {
        db.run(item.add_value(AddValue(1))).await.unwrap();
    }
    let watch = db.watch();
    let mut values = Vec::new();
    // Open transactions of other tests delay events on PostgreSQL.
    while values.len() < RECORDS {
        let page = db.run(reader.page()).await.unwrap();
        values.extend(page.changes.into_iter().map(|it| it.unwrap().after().unwrap().value));
    }
    assert_eq!(values, [6; RECORDS]);
    let is_history = |sql: &String| sql.contains("e.record_id = ") && sql.contains("e.revision <= ");
    let histories: Vec<_> = watch.taken().into_iter().filter(is_history).collect();
    let from_savepoint = histories.iter().filter(|sql| sql.contains("'savepoint'")).count();
    assert_eq!((histories.len(), from_savepoint), (RECORDS, RECORDS), "{histories:#?}");
}

/// A position after everything that was written. A reader from now starts earlier while transactions of other tests are
/// open.
async fn position_of_now(db: &mut Db) -> Position {
    let marker = db.run(Item::insert(lamp(org()))).await.unwrap().id;
    let mut reader = LogReader::<Item>::from_start();
    loop {
        let page = db.run(reader.page()).await.unwrap();
        if page.changes.iter().flatten().any(|change| change.key() == Some(&marker)) {
            return reader.position().unwrap();
        }
    }
}
