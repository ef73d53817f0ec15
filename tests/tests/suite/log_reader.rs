//! What is of the log alone: reading it page by page, and positions that it does not go on from.

use std::time::Duration;

use evented_diesel::listen::{Change, Feed, Hub, Interruption, LogReader, Position};
use evented_diesel::{Error, Id, Model};
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
    let mut reader = LogReader::<Item>::new().page_size(2);
    let mut now = LogReader::<Item>::now();
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
    // Another one goes on, and must find out what was before.
    let mut other = LogReader::<Item>::from(reader.position().unwrap());
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
async fn an_event_that_cannot_be_read_is_told_and_the_stream_goes_on() {
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
    // Who sees a part of the records is not told which one it is.
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
        let refused = db.run(LogReader::<Item>::from(position).page()).await.unwrap_err();
        assert!(matches!(refused, Error::MustRefetch { .. }), "{refused}");
    }
    let mut feed = hub.subscribe_from(Note::changes(), item.position()).unwrap();
    assert!(matches!(next(&mut feed).await.unwrap(), Err(Interruption::MustRefetch { .. })));
    let refused = db.run(LogReader::<Note>::from(item.position()).page()).await.unwrap_err();
    assert!(matches!(refused, Error::Position { .. }), "{refused}");
}
