//! Tests that a consumer takes the parts of a long history while it takes other histories.

use std::num::NonZeroUsize;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use evented_core::{Digest, EventData, Json, KeyValue};
use evented_diesel::migrations::Database;
use evented_diesel::spi::{
    Consumer, Delivery, HistoryEvent, LoadedHistory, ModelStream, PageConsumer, SourceLog,
};
use evented_diesel::{EventedDsl as _, Id, Model, Run};
use evented_tests::models::{AddValue, Item, NewItem};
use uuid::Uuid;

/// Returns an item's history: its value is 0 after the first event, and each later event adds 1.
fn history(revisions: std::ops::RangeInclusive<i64>) -> Vec<HistoryEvent> {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(&evented_tests::db::tables(Database::Sqlite)).unwrap();
    let new = NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 0, note: None };
    let item = Item::insert(new).run(&mut conn).unwrap();
    item.add_value(AddValue(1)).run(&mut conn).unwrap();
    let written = Item::history(item.id).run(&mut conn).unwrap();
    revisions
        .map(|revision| {
            let event = &written[usize::from(revision > 1)].event;
            let data = EventData {
                id: Uuid::now_v7(),
                revision,
                action: event.action().to_owned(),
                version: event.version(),
                payload: Json::from_text(event.payload_json().to_owned()),
                meta: None,
                at: event.at(),
            };
            HistoryEvent { data, state: Digest::NOTHING }
        })
        .collect()
}

fn consumer() -> Consumer<Item, Vec<Delivery<Item>>> {
    let log = SourceLog::of::<<Item as Model>::Log>();
    Consumer::new(ModelStream::new(NonZeroUsize::MIN, log.stream, 0), Vec::new())
}

#[test]
fn other_histories_do_not_interrupt_a_long_one() {
    let (mut consumer, events) = (consumer(), history(1..=9));
    let (long, other) = (KeyValue::Uuid(Uuid::now_v7()), KeyValue::Uuid(Uuid::now_v7()));
    assert_eq!(consumer.load_history(&long, &events[..4], true), LoadedHistory::Partial);
    assert_eq!(consumer.load_history(&other, &events[..2], false), LoadedHistory::Complete);
    assert_eq!((consumer.loading(&long), consumer.loading(&other)), (4, 0));
    assert_eq!(consumer.load_history(&long, &events[4..], false), LoadedHistory::Complete);
    assert_eq!(consumer.loading(&long), 0);
}

#[test]
fn a_history_that_is_given_again_starts_over() {
    let (mut consumer, events) = (consumer(), history(1..=9));
    let long = KeyValue::Uuid(Uuid::now_v7());
    assert_eq!(consumer.load_history(&long, &events[..4], true), LoadedHistory::Partial);
    assert_eq!(consumer.load_history(&long, &events[..6], true), LoadedHistory::Partial);
    assert_eq!(consumer.loading(&long), 6);
}

#[test]
fn a_gap_between_two_parts_ends_the_history() {
    let (mut consumer, events) = (consumer(), history(1..=9));
    let long = KeyValue::Uuid(Uuid::now_v7());
    assert_eq!(consumer.load_history(&long, &events[..4], true), LoadedHistory::Partial);
    assert_eq!(consumer.load_history(&long, &events[5..], true), LoadedHistory::Complete);
    assert_eq!(consumer.loading(&long), 0);
}
