//! The log as a Diesel table: filtered, paged, joined, and grouped by its records.

use diesel::prelude::{
    BelongingToDsl, ExpressionMethods, GroupedBy, JoinOnDsl, QueryDsl, Queryable, SelectableHelper,
};
use evented_diesel::{Event, Id, batch};
use evented_tests::models::schema::items;
use evented_tests::models::{AddValue, Archive, Item, NewItem, items_events};
use uuid::Uuid;

use super::Db;

fn named(name: &str) -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: name.into(), value: 0, note: None }
}

#[tokio::test]
async fn the_events_of_a_record_are_a_query() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(named("Lamp"))).await.unwrap();
    db.run(Item::insert(named("Desk"))).await.unwrap();
    db.run(batch((0..4).map(|n| item.add_value(AddValue(n))))).await.unwrap();
    db.run(item.archive(Archive { reason: "old".into() }).by("ada")).await.unwrap();

    let all: Vec<Event<Item>> = db.load(item.events()).await;
    let actions: Vec<_> = all.iter().map(Event::action).collect();
    assert_eq!(actions, ["insert", "add", "add", "add", "add", "archive"]);
    assert_eq!(all[5].actor().as_deref(), Some("ada"));
    let history = db.run(Item::history(item.id)).await.unwrap();
    assert!(history.into_iter().map(|entry| entry.event).eq(all), "both ways give the same events");

    let page: Vec<Event<Item>> =
        db.load(item.events().filter(items_events::action.eq("add")).offset(1).limit(2)).await;
    let revisions: Vec<_> = page.iter().map(Event::revision).collect();
    assert_eq!(revisions, [3, 4]);
}

#[tokio::test]
async fn the_events_of_many_records_are_one_query() {
    let mut db = Db::new().await;
    let items = db.run(batch(["a", "b", "c"].map(|name| Item::insert(named(name))))).await.unwrap();
    db.run(items[1].add_value(AddValue(1))).await.unwrap();
    db.run(items[2].add_value(AddValue(2))).await.unwrap();
    db.run(items[1].add_value(AddValue(3))).await.unwrap();
    // The query borrows the records, and the suite's `load` takes queries that borrow nothing.
    let items: &'static [Item] = items.leak();
    let events: Vec<Event<Item>> =
        db.load(Event::<Item>::belonging_to(items).order(items_events::position.asc())).await;
    let grouped: Vec<Vec<Event<Item>>> = events.grouped_by(items);
    let counts: Vec<_> = grouped.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 3, 2]);
    for (item, events) in items.iter().zip(&grouped) {
        assert!(events.iter().all(|event| event.record == item.id));
    }
}

#[tokio::test]
async fn the_log_joins_its_table() {
    let mut db = Db::new().await;
    let lamp = db.run(Item::insert(named("Lamp")).by("ada")).await.unwrap();
    db.run(Item::insert(named("Desk"))).await.unwrap();
    db.run(lamp.add_value(AddValue(1))).await.unwrap();

    let query = items_events::table
        .inner_join(items::table)
        .filter(items::name.eq("Lamp"))
        .order(items_events::revision.desc())
        .select((Event::<Item>::as_select(), items::name));
    let rows: Vec<Named> = db.load(query).await;
    let found: Vec<_> = rows.iter().map(|row| (row.event.revision(), row.name.as_str())).collect();
    assert_eq!(found, [(2, "Lamp"), (1, "Lamp")]);

    let query = items::table
        .inner_join(items_events::table.on(items_events::record_id.eq(items::id)))
        .filter(items_events::action.eq("add"))
        .select(Item::as_select());
    let changed: Vec<Item> = db.load(query).await;
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].id, lamp.id);
}

#[derive(Queryable)]
struct Named {
    event: Event<Item>,
    name: String,
}
