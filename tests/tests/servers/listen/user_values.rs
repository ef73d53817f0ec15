//! Tests that values of the user stop nothing, also where they panic while they are dropped.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::{Connection, SqliteConnection};
use evented_diesel::migrations::Migrations;
use evented_diesel::{Evented, EventedDsl as _, Id, Run};
use evented_feed::{Hub, Policy};
use evented_tests::models::{AddValue, Item};

use super::promises::{File, LONG};
use super::{lamp, org};

/// A policy that panics when it is dropped, on whatever thread.
struct Grenade;

impl Policy<Item> for Grenade {
    fn may_see(&self, _: &Item) -> bool {
        true
    }
}

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("a policy panics");
    }
}

#[test]
fn a_policy_that_panics_while_it_is_dropped_does_not_end_the_hub() {
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Item>());
    let mut other = hub.subscribe(Item::changes()).unwrap();
    // Their buffers overflow on the hub's thread, which drops their policies.
    let full: Vec<_> = (0..3)
        .map(|_| hub.subscribe_builder(Item::changes().allowed_by(Grenade)).buffer(4).feed().unwrap())
        .collect();
    let item = Item::insert(lamp(org())).run(&mut conn).unwrap();
    for _ in 0..20 {
        item.add_value(AddValue(1)).run(&mut conn).unwrap();
        other.recv_timeout(LONG).unwrap();
    }
    assert!(hub.subscriptions::<Item>().unwrap().len() == 1);
    // A subscriber that leaves drops its policy on its own thread.
    let leaving = hub.subscribe(Item::changes().allowed_by(Grenade)).unwrap();
    drop(leaving);
    item.add_value(AddValue(1)).run(&mut conn).unwrap();
    while other.recv_timeout(LONG).unwrap().after().is_none_or(|after| after.value < item.value + 21) {}
    drop(full);
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    bombs (id) {
        id -> Uid,
        count -> Integer,
    }
}

/// Whether bombs panic when a hub drops them.
static ARMED: AtomicBool = AtomicBool::new(false);

#[derive(Evented, Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = bombs)]
struct Bomb {
    id: Id<Bomb>,
    count: i32,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        let on_hub = std::thread::current().name() == Some("evented-hub");
        assert!(!(on_hub && ARMED.load(Ordering::Relaxed)), "a record panics");
    }
}

#[test]
fn a_record_that_panics_while_it_is_dropped_does_not_end_the_hub() {
    let file = File::new();
    let mut conn = file.open();
    conn.batch_execute("CREATE TABLE bombs (id BLOB PRIMARY KEY, count INTEGER NOT NULL)").unwrap();
    Migrations::of::<Bomb>().run(&mut conn).unwrap();
    let path = file.path();
    let hub = Hub::of::<Bomb>().and::<Item>().state_cache_size(std::num::NonZeroUsize::MIN);
    let hub = hub.start(move || SqliteConnection::establish(&path)).unwrap();
    let mut items = hub.subscribe(Item::changes()).unwrap();
    ARMED.store(true, Ordering::Relaxed);
    for count in 0..10 {
        let bomb = Bomb::insert(NewBomb { count }).run(&mut conn).unwrap();
        bomb.update(BombChanges { count: Some(count + 1) }).run(&mut conn).unwrap();
        let item = Item::insert(lamp(org())).run(&mut conn).unwrap();
        assert_eq!(items.recv_timeout(LONG).unwrap().key(), Some(&item.id), "{:?}", hub.status());
    }
    ARMED.store(false, Ordering::Relaxed);
}

/// The row was changed by plain SQL, perhaps while it was in the hands of others.
#[test]
fn what_healing_overwrote_is_not_delivered() {
    use evented_tests::models::{Healed, HealedChanges, NewHealed};
    let file = File::new();
    let mut conn = file.open();
    let hub = file.hub(Hub::of::<Healed>());
    let mut feed = hub.subscribe(Healed::changes()).unwrap();
    let healed = Healed::insert(NewHealed { name: "as is".into() }).run(&mut conn).unwrap();
    conn.batch_execute("UPDATE healed SET name = 'a secret'").unwrap();
    let changes = HealedChanges { name: Some("new".into()) };
    healed.update(changes).by("ada").meta(serde_json::json!({ "why": "a test" })).run(&mut conn).unwrap();
    feed.recv_timeout(LONG).unwrap();
    let change = feed.recv_timeout(LONG).unwrap();
    let meta = change.event().unwrap().meta();
    assert_eq!((meta.actor.as_deref(), meta.own.get("why")), (Some("ada"), Some(&"a test".into())));
    assert_eq!(meta.own.get("overwrote"), None);
    let history = Healed::history(healed.id).run(&mut conn).unwrap();
    assert!(history[1].event.meta().own.contains_key("overwrote"));
}
