//! Tests the round trips of each write, after its statements are prepared.

use evented_diesel::{Command, EventedDsl as _, Id, ModelOn, batch};
use evented_tests::models::{
    AddValue, Counter, Increment, Item, ItemChanges, NewCounter, NewItem, NewPage, Page,
};
use uuid::Uuid;

use super::{Db, Trips, watched};

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None }
}

/// Runs a command, and returns its result and the number of round trips.
async fn cost<M: ModelOn<diesel::pg::Pg>>(db: &mut Db, trips: &Trips, command: Command<M>) -> (M, usize) {
    trips.taken();
    let record = db.run(command).await.unwrap();
    (record, trips.taken())
}

#[tokio::test]
async fn a_create_and_a_delete_are_one_round_trip_and_a_change_is_two() {
    let (mut db, _, trips) = watched().await;
    for prepared in [false, true] {
        let (item, created) = cost(&mut db, &trips, Item::insert(lamp())).await;
        let changes = ItemChanges { value: Some(4), ..Default::default() };
        let (item, updated) = cost(&mut db, &trips, item.update(changes).by("user:7").expecting(1)).await;
        let (item, acted) = cost(&mut db, &trips, item.add_value(AddValue(1))).await;
        let (by_key, acted_by_key) = cost(&mut db, &trips, Item::execute_on(item.id, AddValue(1))).await;
        let (_, deleted) = cost(&mut db, &trips, by_key.delete()).await;
        let (page, given_key) =
            cost(&mut db, &trips, Page::insert(NewPage { path: format!("{prepared}"), title: "A".into() }))
                .await;
        let (_, deleted_page) = cost(&mut db, &trips, page.delete()).await;
        if prepared {
            assert_eq!((created, given_key), (1, 1), "event and row in one statement");
            assert_eq!((updated, acted, acted_by_key), (2, 2, 2), "row with head, then event and row");
            assert_eq!((deleted, deleted_page), (1, 1), "whatever the row is");
        }
    }
}

#[tokio::test]
async fn a_fresh_revision_saves_the_reading() {
    let (mut db, _, trips) = watched().await;
    for prepared in [false, true] {
        let counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
        let (_, fresh) = cost(&mut db, &trips, counter.increment(Increment)).await;
        // This copy is outdated: the write that trusts it changes nothing, and then the row is read.
        let (counter, stale) = cost(&mut db, &trips, counter.increment(Increment)).await;
        assert_eq!((counter.count, counter.revision), (2, 3));
        if prepared {
            assert_eq!(fresh, 1);
            assert_eq!(stale, 1 + 5, "the attempt; then begin, lock, read, write, commit");
        }
    }
}

#[tokio::test]
async fn a_batch_costs_the_same_for_ten_and_for_two_hundred() {
    let (mut db, _, trips) = watched().await;
    let mut costs = Vec::new();
    for records in [16, 256] {
        for _ in 0..2 {
            trips.taken();
            let items = db.run(batch((0..records).map(|_| Item::insert(lamp())))).await.unwrap();
            let created = trips.taken();
            db.run(batch(items.iter().map(|item| item.add_value(AddValue(1))))).await.unwrap();
            let changed = trips.taken();
            db.run(batch(items.iter().map(Item::delete))).await.unwrap();
            costs.push((created, changed, trips.taken()));
        }
    }
    assert_eq!(costs[1], costs[3]);
    // Begin, savepoint, (lock, read,) events, rows, release, commit.
    assert_eq!(costs[1], (6, 8, 8));
}

#[tokio::test]
async fn prepared_statements_are_kept_and_do_not_pile_up() {
    let (mut db, _, _) = watched().await;
    let prepared = "SELECT count(*) FROM pg_prepared_statements";
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.run(item.update(ItemChanges { value: Some(4), ..Default::default() })).await.unwrap();
    db.number(prepared).await;
    let before = db.number(prepared).await;
    for n in 10..30 {
        let item = db.run(Item::insert(NewItem { name: format!("{n}"), ..lamp() })).await.unwrap();
        db.run(item.update(ItemChanges { value: Some(n), ..Default::default() }).by("user:7")).await.unwrap();
        // The same columns, through another command.
        db.run(item.add_value(AddValue(n + 1))).await.unwrap();
    }
    assert_eq!(db.number(prepared).await, before, "every write used what was there");
    for n in 0..20 {
        // A new set of columns is a new statement: one more prepare.
        let changes =
            ItemChanges { value: Some(n + 50), note: Some(Some(format!("{n}"))), ..Default::default() };
        db.run(item.update(changes)).await.unwrap();
    }
    assert_eq!(db.number(prepared).await, before + 1);
    for _ in 0..3 {
        let item = db.run(Item::insert(lamp())).await.unwrap();
        db.run(item.delete()).await.unwrap();
    }
    assert_eq!(db.number(prepared).await, before + 2, "and one for the delete");
}
