//! Upserts: a record that is created, changed or kept, found by its key or by other columns.

use diesel::prelude::*;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, Outcome};
use evented_tests::models::schema::{healed, items, notes};
use evented_tests::models::shared::{self, Thing as _};
use evented_tests::models::*;
use uuid::Uuid;

use super::{Db, fresh};

fn noted(name: &str, note: Option<&str>) -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: name.into(), value: 1, note: note.map(Into::into) }
}

fn page(path: &str) -> NewPage {
    NewPage { path: path.into(), title: "t".into() }
}

async fn actions(db: &mut Db) -> Vec<String> {
    db.load(items_events::table.order(items_events::position).select(items_events::action)).await
}

#[tokio::test]
async fn by_the_key_that_the_caller_gives() {
    let mut db = Db::new().await;
    let upsert = || Page::upsert(page("a/b")).set(Visit { times: 2 }).by("ann");
    let made = db.run(upsert()).await.unwrap();
    assert!(matches!(&made, Outcome::Inserted(page) if page.views == 0), "{made:?}");
    let changed = db.run(upsert()).await.unwrap();
    assert!(matches!(&changed, Outcome::Changed(page) if page.views == 2), "{changed:?}");
    let kept = db.run(Page::upsert(page("a/b")).or_ignore()).await.unwrap();
    assert_eq!(kept, Outcome::Kept(changed.into_record()));
    assert!(db.run(Page::upsert(page("a/c")).or_ignore()).await.unwrap().is_inserted());
    let history = db.run(Page::history("a/b".to_owned())).await.unwrap();
    let events: Vec<_> = history.iter().map(|it| (it.event.action().to_owned(), it.event.actor())).collect();
    let by_ann = |action: &str| (action.to_owned(), Some("ann".to_owned()));
    assert_eq!(events, [by_ann("insert"), by_ann("visit")]);

    // A record that was deleted is created again, and its history goes on.
    db.run(Page::delete_by("a/b".to_owned())).await.unwrap();
    assert!(db.run(upsert()).await.unwrap().is_inserted());
    assert_eq!(db.run(Page::history("a/b".to_owned())).await.unwrap().len(), 4);
    assert_eq!(db.run(Page::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn by_columns_with_a_unique_index() {
    let mut db = Db::new().await;
    let upsert = |name: &str, note| Item::upsert(noted(name, note)).on((items::org_id, items::note)).set(AddValue(5));
    let made = db.run(upsert("one", Some("x"))).await.unwrap();
    assert!(matches!(&made, Outcome::Inserted(item) if item.value == 1), "{made:?}");
    let changed = db.run(upsert("two", Some("x"))).await.unwrap().into_record();
    assert_eq!((changed.id, changed.name.as_str(), changed.value), (made.record().id, "one", 6));
    // A null is equal to no other.
    assert!(db.run(upsert("three", None)).await.unwrap().is_inserted());
    assert!(db.run(upsert("four", None)).await.unwrap().is_inserted());
    // By the name of the index, which names its columns.
    let named = |name: &str| Item::upsert(noted("two", Some("x"))).on_constraint(name).set(AddValue(0));
    assert_eq!(db.run(named("items_org_note")).await.unwrap().record().id, changed.id);
    let error = db.run(named("items_nothing")).await.unwrap_err().to_string();
    assert!(error.contains("no unique constraint or index `items_nothing`"), "{error}");
    db.sql("CREATE UNIQUE INDEX of_expression ON items (lower(name), value)").await;
    let error = db.run(named("of_expression")).await.unwrap_err().to_string();
    assert!(error.contains("over an expression"), "{error}");
    db.sql("DROP INDEX of_expression").await;
    // With the fields of an update, and no change of the rest.
    let changes = ItemChanges { name: Some("five".into()), ..ItemChanges::default() };
    let columns = (items::note, items::org_id);
    let changed = db.run(Item::upsert(noted("five", Some("x"))).on(columns).set(changes)).await.unwrap();
    assert_eq!((changed.record().name.as_str(), changed.record().value), ("five", 6));
    assert_eq!(actions(&mut db).await, ["insert", "add", "insert", "insert", "add", "update"]);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
}

#[tokio::test]
async fn what_refuses_it_is_an_error_and_nothing_stays() {
    let mut db = Db::new().await;
    let first = db.run(Item::insert(noted("one", Some("x")))).await.unwrap();
    // Neither the input of the insert nor the change.
    let empty = Item::upsert(noted("", Some("y"))).on((items::org_id, items::note)).set(AddValue(1));
    assert!(matches!(db.run(empty).await, Err(Error::Invalid { .. })));
    let negative = Item::upsert(noted("two", Some("x"))).on((items::org_id, items::note)).set(AddValue(-5));
    assert!(matches!(db.run(negative).await, Err(Error::Invalid { .. })));
    // A constraint of other columns.
    let other = Item::upsert(noted("other", Some("x"))).on(items::name).set(AddValue(1));
    let error = db.run(other.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error:?}");
    // A column that the model does not write has no value to look for.
    let unknown = Healed::upsert(NewHealed { name: "a".into() }).on(healed::by_database).or_ignore();
    let error = db.run(unknown).await.unwrap_err().to_string();
    assert!(error.contains("no value of the column `by_database`"), "{error}");
    let made = Note::upsert(NewNote { text: "a".into() }).on(notes::id).or_ignore();
    let error = db.run(made).await.unwrap_err().to_string();
    assert!(error.contains("no value of the column `id`"), "{error}");
    assert_eq!(actions(&mut db).await, ["insert"]);

    // The caller's transaction goes on.
    db.begin().await;
    let _ = db.run(other).await.unwrap_err();
    let upsert = || Item::upsert(noted("two", Some("z"))).on((items::org_id, items::note)).set(AddValue(1));
    assert!(db.run(upsert()).await.unwrap().is_inserted());
    assert!(!db.run(upsert()).await.unwrap().is_inserted());
    db.run(first.add_value(AddValue(1))).await.unwrap();
    db.commit().await;
    assert_eq!(actions(&mut db).await, ["insert", "insert", "add", "add"]);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn rows_that_plain_sql_wrote_are_adopted() {
    let mut db = Db::new().await;
    db.sql("INSERT INTO pages (path, title, views) VALUES ('a', 't', 7)").await;
    let found = db.run(Page::upsert(page("a")).or_ignore()).await.unwrap();
    assert!(matches!(&found, Outcome::Kept(page) if page.views == 7), "{found:?}");
    let found = db.run(Page::upsert(page("a")).set(Visit { times: 1 })).await.unwrap();
    assert!(matches!(&found, Outcome::Changed(page) if page.views == 8), "{found:?}");
    db.sql("UPDATE pages SET views = 20").await;
    let found = db.run(Page::upsert(page("a")).set(Visit { times: 1 })).await.unwrap();
    assert_eq!(found.record().views, 21);
    db.sql("DELETE FROM pages").await;
    assert!(db.run(Page::upsert(page("a")).set(Visit { times: 1 })).await.unwrap().is_inserted());
    let history = db.run(Page::history("a".to_owned())).await.unwrap();
    let actions: Vec<_> = history.iter().map(|it| it.event.action().to_owned()).collect();
    assert_eq!(actions, ["external", "visit", "external", "visit", "external", "insert"]);
    assert_eq!(db.run(Page::verify_table()).await.unwrap(), []);
}

/// Logs with hashes, with shards and a revision column, and a hook.
#[tokio::test]
async fn every_kind_of_log() {
    let mut db = fresh().await;
    macro_rules! things {
        ($($model:ident $table:ident),*) => {$({
            use shared::schema::$table::dsl;
            db.sql(concat!("CREATE UNIQUE INDEX ", stringify!($table), "_name ON ", stringify!($table), " (name)")).await;
            let upsert = |name: &str| shared::$model::upsert(shared::$model::new(name, name)).on(dsl::name);
            assert!(db.run(upsert("a").set(shared::Add(2))).await.unwrap().is_inserted());
            let changed = db.run(upsert("a").set(shared::Add(2))).await.unwrap();
            assert!(matches!(&changed, Outcome::Changed(it) if it.value() == 2), "{changed:?}");
            assert!(matches!(db.run(upsert("a").or_ignore()).await.unwrap(), Outcome::Kept(_)));
            assert!(db.run(upsert("b").or_ignore()).await.unwrap().is_inserted());
            assert_eq!(db.run(shared::$model::verify_table()).await.unwrap(), []);
        })*};
    }
    things!(Card cards, Letter letters, Parcel parcels, Shop shops, Town towns);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_writers_creates_it() {
    const WRITERS: usize = 4;
    const TIMES: usize = 6;
    let mut db = Db::new().await;
    let mut tasks = Vec::new();
    for _ in 0..WRITERS {
        let mut conn = db.connect().await;
        tasks.push(tokio::spawn(async move {
            let mut inserted = 0;
            for time in 0..TIMES {
                let by_key = Page::upsert(page(&format!("p{}", time % 2))).set(Visit { times: 1 });
                inserted += usize::from(conn.run(by_key).await.unwrap().is_inserted());
                let by_columns = Item::upsert(noted("n", Some("x"))).on((items::org_id, items::note)).set(AddValue(1));
                inserted += usize::from(conn.run(by_columns).await.unwrap().is_inserted());
            }
            inserted
        }));
    }
    let mut inserted = 0;
    for task in tasks {
        inserted += task.await.unwrap();
    }
    assert_eq!(inserted, 3);
    let all = (WRITERS * TIMES) as i64;
    assert_eq!(db.number("SELECT sum(views) FROM pages").await, all - 2);
    assert_eq!(db.number("SELECT sum(value) FROM items").await, all);
    assert_eq!(db.run(Page::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}
