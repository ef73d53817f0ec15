//! Tests batches: many commands run as one.

use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::{AddValue, Archive, Item, ItemChanges, NewItem, NewNote, NewPage, Note, Page};
use evented_tests::raw;
use uuid::Uuid;

use super::Db;

fn named(name: &str) -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: name.into(), value: 0, note: None }
}

async fn agree(db: &mut Db) {
    let rows = db.number("SELECT count(*) FROM items").await;
    let position = db.run(Item::last_position()).await.unwrap();
    let mut table = Item::table_at(position).page_size(7);
    let mut replayed = 0;
    while let Some(items) = db.run(table.page()).await.unwrap() {
        for item in items {
            replayed += 1;
            // A write on a row that differs from the log would record the difference.
            let touched = db.run(item.add_value(AddValue(0)).recorded()).await.unwrap();
            let last = db.run(Item::history(&item)).await.unwrap();
            assert_eq!(last.len() as i64, touched.revision);
            assert!(last.iter().all(|entry| entry.event.action() != "external"));
        }
    }
    assert_eq!(rows, replayed);
}

#[tokio::test]
async fn a_batch_gives_the_record_after_each_command() {
    let mut db = Db::new().await;
    let items = db.run(batch((0..700).map(|n| Item::insert(named(&format!("item {n}")))))).await.unwrap();
    assert_eq!(items.len(), 700);
    assert!(items.iter().enumerate().all(|(n, item)| item.name == format!("item {n}")));

    let done = db
        .run(batch([
            items[0].add_value(AddValue(1)),
            items[1].archive(Archive { reason: "old".into() }),
            items[0].add_value(AddValue(2)),
            items[2].delete(),
            Item::insert(named("new")),
            items[3].update(ItemChanges { note: Some(Some("noted".into())), ..Default::default() }),
        ]))
        .await
        .unwrap();
    let values: Vec<_> = done.iter().map(|item| item.value).collect();
    assert_eq!(values, [1, 0, 3, 0, 0, 0]);
    assert!(done[1].archived_at.is_some() && done[0].archived_at.is_none());
    assert_eq!(done[5].note.as_deref(), Some("noted"));
    assert_eq!(db.run(Item::replay(items[0].id)).await.unwrap(), Some(done[2].clone()));
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 706);
    agree(&mut db).await;
}

#[tokio::test]
async fn a_batch_of_which_one_fails_does_nothing_and_says_which() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(named("item"))).await.unwrap();
    let invalid = batch([Item::insert(named("one")), item.add_value(AddValue(1)), item.add_value(AddValue(-9))]);
    match db.run(invalid).await.unwrap_err() {
        Error::Batch { index: 2, error: source } => assert!(source.validation_errors().is_some()),
        other => panic!("{other}"),
    }
    let taken = NewItem { note: Some("taken".into()), ..named("taken") };
    let twice = batch([item.add_value(AddValue(1)), Item::insert(taken.clone()), Item::insert(taken.clone())]);
    match db.run(twice).await.unwrap_err() {
        Error::Batch { index: 2, error: source } => assert!(matches!(*source, Error::Constraint { .. }), "{source}"),
        other => panic!("{other}"),
    }
    let unknown = batch([item.add_value(AddValue(1)), Item::execute_on(Id::new(Uuid::now_v7()), AddValue(1))]);
    match db.run(unknown).await.unwrap_err() {
        Error::Batch { index: 1, error: source } => assert!(source.is_missing()),
        other => panic!("{other}"),
    }
    let stale = batch([item.add_value(AddValue(1)), item.add_value(AddValue(1)).expecting(1)]);
    assert!(db.run(stale).await.unwrap_err().is_conflict());
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM items").await, 1);
    agree(&mut db).await;
}

#[tokio::test]
async fn a_delete_in_a_batch_frees_what_an_insert_takes() {
    let mut db = Db::new().await;
    let taken = NewItem { note: Some("taken".into()), ..named("taken") };
    let item = db.run(Item::insert(taken.clone())).await.unwrap();
    db.run(batch([item.delete(), Item::insert(taken)])).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM items").await, 1);
    agree(&mut db).await;
}

#[tokio::test]
async fn a_batch_adopts_what_it_finds_changed() {
    let mut db = Db::new().await;
    let items = db.run(batch([Item::insert(named("a")), Item::insert(named("b"))])).await.unwrap();
    db.sql("UPDATE items SET value = 5 WHERE name = 'a'").await;
    let done = db.run(batch(items.iter().map(|item| item.add_value(AddValue(1))))).await.unwrap();
    assert_eq!((done[0].value, done[1].value), (6, 1));
    assert_eq!(db.number("SELECT count(*) FROM items_events WHERE action = 'external'").await, 1);
    assert_eq!(db.run(Item::replay(items[0].id)).await.unwrap(), Some(done[0].clone()));
}

#[tokio::test]
async fn a_batch_takes_keys_from_the_database() {
    let mut db = Db::new().await;
    let notes = db.run(batch((0..5).map(|n| Note::insert(NewNote { text: format!("{n}") })))).await.unwrap();
    let texts: Vec<_> = notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4"]);
    assert_eq!(db.run(Note::replay(notes[4].id)).await.unwrap().as_ref(), Some(&notes[4]));
}

#[tokio::test]
async fn an_empty_batch_does_nothing() {
    let mut db = Db::new().await;
    assert!(db.run(batch(Vec::<evented_diesel::Command<Item>>::new())).await.unwrap().is_empty());
}

/// Each command says what became of it, and keeps none of the others from taking effect.
#[tokio::test]
async fn independent_commands_succeed_or_fail_on_their_own() {
    let mut db = Db::new().await;
    let new = |value: i32| NewItem {
        org_id: Id::new(Uuid::from_u128(1)),
        name: format!("lamp {value}"),
        value,
        note: Some(value.to_string()),
    };
    let items = db.run(batch((0..8).map(|value| Item::insert(new(value))).collect::<Vec<_>>())).await.unwrap();
    db.run(items[1].delete()).await.unwrap();
    db.sql("DELETE FROM items WHERE value = 2").await;
    db.sql("UPDATE items SET value = 30 WHERE value = 3").await;
    let taken = ItemChanges { note: Some(Some("0".into())), ..ItemChanges::default() };
    let mut commands: Vec<_> = items.iter().map(|item| item.add_value(AddValue(1))).collect();
    commands.push(items[4].update(taken));
    commands.push(items[5].add_value(AddValue(-100)));
    commands.push(items[6].add_value(AddValue(1)).expecting(1));
    commands.push(items[0].add_value(AddValue(1)));
    commands.push(Item::insert(new(9)));
    let results = db.run(batch(commands.clone()).independent()).await.unwrap();
    let values: Vec<Option<i32>> =
        results.iter().map(|result| result.as_ref().ok().map(|item| item.value)).collect();
    let expected = [1, -1, -1, 31, 5, 6, 7, 8, -1, -1, -1, 2, 9];
    assert_eq!(values, expected.map(|value| (value >= 0).then_some(value)), "{results:?}");
    let error = |index: usize| results[index].as_ref().unwrap_err();
    assert!(matches!(error(1), Error::Deleted { revision: 2, .. }));
    assert!(matches!(error(2), Error::Deleted { revision: 2, .. }), "{:?}", error(2));
    assert!(matches!(error(8), Error::Constraint { .. }));
    assert!(matches!(error(9), Error::Invalid { .. }));
    assert!(matches!(error(10), Error::Conflict { expected: 1, found: 2, .. }));
    assert!(error(2).to_string().contains(&items[2].id.to_string()));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);

    // Without, none takes effect, and the first error says which.
    let before = db.number("SELECT count(*) FROM items_events").await;
    let failed = db.run(batch(commands)).await.unwrap_err();
    assert!(matches!(failed, Error::Batch { index: 1, .. }), "{failed:?}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, before);
    // The commands of one record keep their order, also if it does not exist yet.
    let page = || NewPage { path: "/a".into(), title: "A".into() };
    let results = db.run(batch([Page::delete_by("/a".to_owned()), Page::insert(page())]).independent()).await.unwrap();
    assert!(matches!(results[0], Err(Error::NotFound { .. })) && results[1].is_ok(), "{results:?}");
    assert_eq!(db.number("SELECT count(*) FROM pages").await, 1);
    // What was refused in a state that never came to be is decided again.
    let taken = ItemChanges { note: Some(Some("0".into())), ..ItemChanges::default() };
    let commands = [items[6].update(taken).expecting(2), items[6].add_value(AddValue(1)).expecting(2)];
    let results = db.run(batch(commands).independent()).await.unwrap();
    assert!(matches!(results[0], Err(Error::Constraint { .. })) && results[1].is_ok(), "{results:?}");
    // A row that a trigger refuses with an error.
    raw::refuse(&mut db, "pages").await;
    let page = |path: &str| Page::insert(NewPage { path: path.into(), title: "A".into() });
    let results = db.run(batch([page("/b"), Page::savepoint("/a".to_owned())]).independent()).await.unwrap();
    assert!(results[0].is_err() && results[1].is_ok(), "{results:?}");
    // Hundreds of refusals among hundreds of changes.
    let many = db.run(batch((0..300).map(|value| Item::insert(new(value + 100))).collect::<Vec<_>>())).await.unwrap();
    let by = |index: usize| if index.is_multiple_of(3) { -1_000 } else { 1 };
    let commands = many.iter().enumerate().map(|(index, item)| item.add_value(AddValue(by(index))));
    let results = db.run(batch(commands.collect::<Vec<_>>()).independent()).await.unwrap();
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 100);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
}
