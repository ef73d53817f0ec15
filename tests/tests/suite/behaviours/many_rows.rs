//! Changes and deletes of all rows that a filter matches.

use diesel::prelude::*;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::schema::{counters, items, notes, pages, stricts};
use evented_tests::models::shared::{self, Thing as _};
use evented_tests::models::*;
use uuid::Uuid;

use super::{Db, fresh};

fn org(number: u128) -> Id<Org> {
    Id::new(Uuid::from_u128(number))
}

fn new(of: u128, value: i32) -> NewItem {
    NewItem { org_id: org(of), name: format!("item {value}"), value, note: None }
}

/// Items of two organisations, with the values 0 to 9 each.
async fn two_orgs() -> (Db, Vec<Item>) {
    let mut db = Db::new().await;
    let new = [1, 2].into_iter().flat_map(|of| (0..10).map(move |value| new(of, value)));
    let items = db.run(batch(new.map(Item::insert).collect::<Vec<_>>())).await.unwrap();
    (db, items)
}

async fn events(db: &mut Db, action: &str) -> i64 {
    db.number(&format!("SELECT count(*) FROM items_events WHERE action = '{action}'")).await
}

#[tokio::test]
async fn an_update_changes_the_rows_that_match_with_an_event_each() {
    let (mut db, items) = two_orgs().await;
    let filter = items::org_id.eq(org(1)).and(items::value.lt(4));
    let changes = ItemChanges { name: Some("cheap".into()), ..ItemChanges::default() };
    let cause = Uuid::now_v7();
    let update = Item::update_where(filter, changes).by("ann").caused_by(cause).meta(serde_json::json!({ "a": 1 }));
    assert_eq!(db.run(update).await.unwrap(), 4);
    assert_eq!(db.number("SELECT count(*) FROM items WHERE name = 'cheap'").await, 4);
    assert_eq!(events(&mut db, "update").await, 4);
    let history = db.run(Item::history(items[3].id)).await.unwrap();
    let event = &history[1].event;
    assert_eq!((event.action(), event.revision(), history.len()), ("update", 2, 2));
    assert_eq!((event.actor().as_deref(), event.meta().cause), (Some("ann"), Some(cause)));
    assert_eq!(db.run(Item::history(items[4].id)).await.unwrap().len(), 1);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
}

#[tokio::test]
async fn the_records_come_back_in_the_order_of_their_keys() {
    let (mut db, items) = two_orgs().await;
    let mut expected: Vec<Item> = items.into_iter().filter(|item| item.value >= 5).collect();
    expected.sort_by_key(|item| item.id.uuid());
    let added = db.run(Item::execute_where(items::value.ge(5), AddValue(100)).records()).await.unwrap();
    let of = |items: &[Item], plus: i32| items.iter().map(|item| (item.id, item.value + plus)).collect::<Vec<_>>();
    assert_eq!(of(&added, 0), of(&expected, 100));
    let gone = db.run(Item::delete_where(items::value.ge(100)).by("bob").records()).await.unwrap();
    assert_eq!(gone, added);
    assert_eq!(db.number("SELECT count(*) FROM items").await, 10);
    assert!(matches!(db.run(Item::replay(gone[0].id)).await, Err(Error::Deleted { .. })));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn a_filter_may_have_subqueries_nulls_and_match_nothing() {
    let (mut db, _) = two_orgs().await;
    let other = diesel::alias!(items as other_items);
    let largest = other.filter(other.field(items::org_id).eq(org(2))).select(diesel::dsl::max(other.field(items::value)));
    let found = db.run(Item::execute_where(items::value.nullable().eq_any(largest), AddValue(1)).records()).await;
    assert_eq!(found.unwrap().iter().map(|item| item.value).collect::<Vec<_>>(), [10, 10]);
    // A condition that is neither true nor false matches nothing.
    assert_eq!(db.run(Item::delete_where(items::note.eq("x"))).await.unwrap(), 0);
    assert_eq!(db.run(Item::delete_where(items::value.eq_any(Vec::<i32>::new()))).await.unwrap(), 0);
    assert_eq!(db.run(Item::delete_where(items::value.eq_any([0, 1, 2]))).await.unwrap(), 6);
    assert_eq!(events(&mut db, "delete").await, 6);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn one_record_that_refuses_keeps_all_as_they_were() {
    let (mut db, items) = two_orgs().await;
    db.run(items[7].archive(Archive { reason: "old".into() })).await.unwrap();
    let before = db.number("SELECT count(*) FROM items_events").await;
    let archive = Item::execute_where(items::org_id.eq(org(1)), Archive { reason: "all".into() });
    let error = db.run(archive.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains(&items[7].id.to_string()), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, before);
    assert_eq!(db.number("SELECT count(*) FROM items WHERE archived_at IS NOT NULL").await, 1);

    // A violated constraint is an error of the record that violates it.
    let same = ItemChanges { note: Some(Some("same".into())), ..ItemChanges::default() };
    let error = db.run(Item::update_where(items::org_id.eq(org(2)), same)).await.unwrap_err();
    let Error::Constraint { subject, .. } = &error else { panic!("{error:?}") };
    assert!(items[10..].iter().any(|item| subject.to_string().contains(&item.id.to_string())), "{subject}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, before);

    // Nothing of it stays in the caller's transaction either, which goes on.
    db.begin().await;
    db.run(items[0].add_value(AddValue(1))).await.unwrap();
    db.run(archive).await.unwrap_err();
    db.run(items[1].add_value(AddValue(1))).await.unwrap();
    db.commit().await;
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, before + 2);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn rows_that_plain_sql_changed_are_adopted_among_the_others() {
    let (mut db, items) = two_orgs().await;
    db.sql("UPDATE items SET value = 50 WHERE value = 5").await;
    db.sql("INSERT INTO notes (text) VALUES ('by hand')").await;
    let added = db.run(Item::execute_where(items::value.gt(3), AddValue(1)).records()).await.unwrap();
    let mut values: Vec<i32> = added.iter().map(|item| item.value).collect();
    values.sort_unstable();
    assert_eq!(values, [5, 5, 7, 7, 8, 8, 9, 9, 10, 10, 51, 51]);
    assert!(added.is_sorted_by_key(|item| item.id.uuid()));
    let of_changed = db.run(Item::history(items[5].id)).await.unwrap();
    let actions: Vec<_> = of_changed.iter().map(|entry| entry.event.action().to_owned()).collect();
    assert_eq!(actions, ["insert", "external", "add"]);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);

    // A row that the log has never seen.
    assert_eq!(db.run(Note::delete_where(notes::text.like("by%"))).await.unwrap(), 1);
    assert_eq!(db.run(Note::verify_table()).await.unwrap(), []);

    // A model that refuses drift does so for all.
    let stricts = db.run(batch(["a", "b"].map(|name| Strict::insert(NewStrict { name: name.into() })))).await.unwrap();
    db.sql("UPDATE stricts SET name = 'c' WHERE name = 'b'").await;
    let error = db.run(Strict::delete_where(stricts::name.is_not_null())).await.unwrap_err();
    assert!(matches!(error, Error::Drift { .. }), "{error:?}");
    assert!(error.to_string().contains(&stricts[1].id.to_string()), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM stricts").await, 2);
}

#[tokio::test]
async fn every_kind_of_key_and_log() {
    let mut db = fresh().await;
    db.run(batch((0..5).map(|n| Note::insert(NewNote { text: format!("n{n}") })).collect::<Vec<_>>())).await.unwrap();
    let changes = NoteChanges { text: Some("read".into()) };
    assert_eq!(db.run(Note::update_where(notes::text.ne("n3"), changes)).await.unwrap(), 4);
    db.run(batch((0..5).map(|_| Counter::insert(NewCounter { count: 0 })).collect::<Vec<_>>())).await.unwrap();
    let counted = db.run(Counter::execute_where(counters::count.eq(0), Increment).records()).await.unwrap();
    assert!(counted.iter().all(|counter| (counter.count, counter.revision) == (1, 2)));
    let new = |path: &str| Page::insert(NewPage { path: path.into(), title: path.into() });
    db.run(batch(["b", "a/c", "a"].map(new))).await.unwrap();
    let visited = db.run(Page::execute_where(pages::views.eq(0), Visit { times: 2 }).records()).await.unwrap();
    assert_eq!(visited.iter().map(|page| page.path.as_str()).collect::<Vec<_>>(), ["a", "a/c", "b"]);
    assert_eq!(db.run(Page::delete_where(pages::path.like("a%"))).await.unwrap(), 2);
    // Logs with hashes and links, with shards, with a hook that keeps a list, and keys that the caller gives.
    macro_rules! things {
        ($($model:ident $table:ident),*) => {$({
            use shared::schema::$table::dsl;
            let made = ["a", "b", "c"].map(|name| shared::$model::insert(shared::$model::new(name, name)));
            db.run(batch(made)).await.unwrap();
            let filter = || dsl::name.ne("b");
            assert_eq!(db.run(shared::$model::execute_where(filter(), shared::Add(3))).await.unwrap(), 2);
            let error = db.run(shared::$model::execute_where(dsl::name.ne("c"), shared::Add(-1))).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
            let found = db.run(shared::$model::update_where(filter(), shared::$model::named("z")).records()).await;
            let found = found.unwrap();
            assert!(found.len() == 2 && found.iter().all(|it| (it.name(), it.value()) == ("z", 3)));
            assert_eq!(db.run(shared::$model::verify_table()).await.unwrap(), []);
            assert_eq!(db.run(shared::$model::delete_where(dsl::name.eq("z"))).await.unwrap(), 2);
            assert_eq!(db.run(shared::$model::verify_table()).await.unwrap(), []);
        })*};
    }
    things!(Card cards, Letter letters, Parcel parcels, Shop shops, Town towns);
    for findings in [
        db.run(Note::verify_table()).await.unwrap().len(),
        db.run(Counter::verify_table()).await.unwrap().len(),
        db.run(Page::verify_table()).await.unwrap().len(),
    ] {
        assert_eq!(findings, 0);
    }
}

#[tokio::test]
async fn chunks_take_some_rows_at_a_time() {
    let (mut db, items) = two_orgs().await;
    let mut chunks = Item::execute_where(items::value.lt(9), AddValue(1)).by("job").in_chunks(7);
    let mut sizes = Vec::new();
    while let Some(records) = db.run(chunks.page()).await.unwrap() {
        sizes.push(records);
    }
    // No record is changed twice, although it still matches.
    assert_eq!(sizes, [7, 7, 4]);
    assert_eq!(db.run(chunks.page()).await.unwrap(), None);
    assert_eq!(events(&mut db, "add").await, 18);

    // The chunks before the one that fails stay.
    let mut keys: Vec<Item> = items;
    keys.sort_by_key(|item| item.id.uuid());
    let late = &keys[15];
    db.run(late.archive(Archive { reason: "old".into() })).await.unwrap();
    let archive = |rows| Item::execute_where(items::value.ge(0), Archive { reason: "all".into() }).in_chunks(rows);
    let mut chunks = archive(10);
    assert_eq!(db.run(chunks.page()).await.unwrap(), Some(10));
    db.run(chunks.page()).await.unwrap_err();
    assert_eq!(events(&mut db, "archive").await, 11);
    // It goes on where it stopped.
    db.run(late.restore(Restore)).await.unwrap();
    assert_eq!(db.run(chunks.page()).await.unwrap(), Some(10));
    assert_eq!(db.run(chunks.page()).await.unwrap(), None);
    assert_eq!(db.run(Item::delete_where(items::value.ge(0)).in_chunks(0)).await.unwrap(), 20);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

/// More than one statement holds, and savepoints that are due.
#[tokio::test]
async fn thousands_of_rows() {
    let mut db = Db::new().await;
    let new = (0..3_000).map(|value| Item::insert(new(1, value))).collect::<Vec<_>>();
    db.run(batch(new)).await.unwrap();
    assert_eq!(db.run(Item::execute_where(items::value.ge(0), AddValue(1))).await.unwrap(), 3_000);
    assert_eq!(db.number("SELECT sum(value) FROM items").await, 3_000 * 3_001 / 2);
    assert_eq!(db.run(Item::delete_where(items::value.gt(100))).await.unwrap(), 2_900);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
}
