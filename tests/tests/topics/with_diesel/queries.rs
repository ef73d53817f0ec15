//! Tests events as Diesel queries.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::associations::GroupedBy;
use diesel::prelude::*;
use evented_diesel::sql_types::{Uid, UtcTime};
use evented_diesel::{Event, EventedDsl as _, Id};
use evented_tests::models::schema::{items, pages};
use evented_tests::models::{
    AddValue, Archive, Item, ItemEvent, NewItem, NewNote, NewPage, Note, Page, Visit, items_events,
    pages_events,
};
use uuid::Uuid;

use super::{Db, load};

fn named(name: &str) -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: name.into(), value: 0, note: None }
}

fn day(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::days(n)
}

/// Creates a lamp with four events, a desk with two, and a chair with one.
async fn furniture(db: &mut Db) -> [Item; 3] {
    let lamp = db.run(Item::insert(named("Lamp")).at(day(1))).await.unwrap();
    let desk = db.run(Item::insert(named("Desk")).at(day(2))).await.unwrap();
    db.run(lamp.add_value(AddValue(1)).at(day(3)).by("user:7")).await.unwrap();
    db.run(lamp.add_value(AddValue(2)).at(day(4))).await.unwrap();
    let lamp = db.run(lamp.archive(Archive { reason: "sold".into() }).at(day(5))).await.unwrap();
    let desk = db.run(desk.add_value(AddValue(3)).at(day(6))).await.unwrap();
    let chair = db.run(Item::insert(named("Chair")).at(day(7))).await.unwrap();
    [lamp, desk, chair]
}

fn actions(events: &[Event<Item>]) -> Vec<&str> {
    events.iter().map(Event::action).collect()
}

#[tokio::test]
async fn the_events_of_a_record_are_a_query_in_the_order_of_revisions() {
    let mut db = Db::new().await;
    let [lamp, ..] = furniture(&mut db).await;
    let events: Vec<Event<Item>> = load!(lamp.events(), &mut db.conn);
    assert_eq!(actions(&events), ["insert", "add", "add", "archive"]);
    assert_eq!(events.iter().map(Event::revision).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(events.iter().all(|event| event.record == lamp.id));
    assert_eq!(events[1].actor().as_deref(), Some("user:7"));
    assert_eq!(events[1].at(), day(3));
    assert!(matches!(events[1].decode().unwrap(), ItemEvent::AddValue(AddValue(1))));
    // The result is the same as the library's own read.
    let history = db.run(Item::history(&lamp)).await.unwrap();
    assert_eq!(events, history.into_iter().map(|entry| entry.event).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_events_of_a_record_can_be_filtered_ordered_and_cut() {
    let mut db = Db::new().await;
    let [lamp, ..] = furniture(&mut db).await;
    let added: Vec<Event<Item>> = load!(lamp.events().filter(items_events::action.eq("add")), &mut db.conn);
    assert_eq!(actions(&added), ["add", "add"]);
    let some: Vec<Event<Item>> = load!(lamp.events().limit(2).offset(1), &mut db.conn);
    assert_eq!(some.iter().map(Event::revision).collect::<Vec<_>>(), [2, 3]);
    let last: Vec<Event<Item>> =
        load!(lamp.events().order(items_events::position.desc()).limit(1), &mut db.conn);
    assert_eq!(actions(&last), ["archive"]);
    let since: Vec<Event<Item>> =
        load!(lamp.events().filter(items_events::at.ge(UtcTime::bind(day(4)))), &mut db.conn);
    assert_eq!(actions(&since), ["add", "archive"]);
    let one: Vec<Event<Item>> =
        load!(lamp.events().filter(items_events::id.eq(Uid::bind(lamp.id.uuid()))), &mut db.conn);
    assert_eq!(actions(&one), ["insert"]);
    let count: Vec<i64> = load!(
        items_events::table.filter(items_events::record_id.eq(lamp.id)).select(diesel::dsl::count_star()),
        &mut db.conn
    );
    assert_eq!(count, [4]);
}

#[tokio::test]
async fn events_are_selected_and_joined_to_their_rows() {
    let mut db = Db::new().await;
    let [_, desk, chair] = furniture(&mut db).await;
    let all: Vec<Event<Item>> = load!(
        items_events::table.select(Event::<Item>::as_select()).order(items_events::position),
        &mut db.conn
    );
    assert_eq!(actions(&all), ["insert", "insert", "add", "add", "archive", "add", "insert"]);
    let joined: Vec<(Event<Item>, Item)> = load!(
        items_events::table
            .inner_join(items::table)
            .filter(items::name.ne("Lamp"))
            .order(items_events::position)
            .select((Event::<Item>::as_select(), Item::as_select())),
        &mut db.conn
    );
    let joined: Vec<_> = joined.iter().map(|(event, item)| (event.action(), item)).collect();
    assert_eq!(joined, [("insert", &desk), ("add", &desk), ("insert", &chair)]);
    // The reverse join. A delete leaves events without a row.
    db.run(chair.delete()).await.unwrap();
    let names: Vec<(String, i64)> = load!(
        items::table
            .inner_join(items_events::table)
            .group_by(items::name)
            .order(items::name)
            .select((items::name, diesel::dsl::count(items_events::position))),
        &mut db.conn
    );
    assert_eq!(names, [("Desk".to_owned(), 2), ("Lamp".to_owned(), 4)]);
    let left: Vec<(i64, Option<String>)> = load!(
        items_events::table
            .left_join(items::table)
            .filter(items_events::action.eq("delete"))
            .select((items_events::revision, items::name.nullable())),
        &mut db.conn
    );
    assert_eq!(left, [(2, None)]);
}

#[tokio::test]
async fn events_belong_to_their_records_and_are_grouped_by_them() {
    let mut db = Db::new().await;
    let all = furniture(&mut db).await;
    let some = vec![all[2].clone(), all[0].clone()];
    let events: Vec<Event<Item>> =
        load!(Event::<Item>::belonging_to(&some).select(Event::<Item>::as_select()), &mut db.conn);
    let grouped = events.grouped_by(&some);
    assert_eq!(grouped.iter().map(Vec::len).collect::<Vec<_>>(), [1, 4]);
    assert!(grouped[1].iter().all(|event| event.record == some[1].id));
    let of_one: Vec<Event<Item>> = load!(
        Event::<Item>::belonging_to(&all[1]).order(items_events::revision).select(Event::<Item>::as_select()),
        &mut db.conn
    );
    assert_eq!(actions(&of_one), ["insert", "add"]);
}

#[tokio::test]
async fn keys_of_every_kind_are_queried_alike() {
    let mut db = Db::new().await;
    let page = db.run(Page::insert(NewPage { path: "/".into(), title: "Home".into() })).await.unwrap();
    let page = db.run(page.visit(Visit { times: 2 })).await.unwrap();
    let events: Vec<Event<Page>> = load!(page.events(), &mut db.conn);
    assert_eq!(events.iter().map(|event| event.record.as_str()).collect::<Vec<_>>(), ["/", "/"]);
    let joined: Vec<(Event<Page>, Page)> = load!(
        pages_events::table
            .inner_join(pages::table)
            .filter(pages_events::action.eq("visit"))
            .select((Event::<Page>::as_select(), Page::as_select())),
        &mut db.conn
    );
    assert_eq!(joined, [(events[1].clone(), page)]);
    let note = db.run(Note::insert(NewNote { text: "one".into() })).await.unwrap();
    let events: Vec<Event<Note>> = load!(note.events(), &mut db.conn);
    assert_eq!(events[0].record, note.id);
}
