//! Tables that are views, that have partitions, and that check their constraints late; tables of one name in two schemas.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::{Error, Evented, EventedDsl as _, EventedTableDsl as _, Id, Outcome, batch};
use evented_tests::models::schema::items as item_rows;
use evented_tests::models::{AddValue, Item, NewItem};
use uuid::Uuid;

use super::Db;

mod on_a_view {
    use super::*;

    diesel::table! {
        notices (id) { id -> Integer, text -> Text }
    }

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = notices)]
    #[evented(view)]
    pub struct Notice {
        pub id: i32,
        pub text: String,
    }
}

/// The same table's name in another schema of the database.
mod elsewhere {
    use super::*;

    diesel::table! {
        archive.items (id) { id -> Integer, text -> Text }
    }

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = items)]
    pub struct Item {
        pub id: i32,
        pub text: String,
    }
}

fn lamp(value: i32) -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: format!("lamp {value}"), value, note: None }
}

#[tokio::test]
async fn an_updatable_view() {
    use on_a_view::*;
    let mut db = Db::new().await;
    db.sql(
        "CREATE TABLE all_notices (id SERIAL PRIMARY KEY, text TEXT NOT NULL, hidden BOOLEAN NOT NULL DEFAULT false);
         CREATE VIEW notices AS SELECT id, text FROM all_notices WHERE NOT hidden",
    )
    .await;
    db.run(Migrations::of::<Notice>()).await.unwrap();
    let new = |text: &str| Notice::insert(NewNotice { text: text.into() });
    let notice = db.run(new("a")).await.unwrap();
    let to = |text: &str| NoticeChanges { text: Some(text.into()) };
    let notice = db.run(notice.update(to("b"))).await.unwrap();
    assert_eq!(notice.text, "b");
    db.sql("UPDATE all_notices SET text = 'by hand'").await;
    let notice = db.run(notice.update(to("c"))).await.unwrap();
    let saved = db.run(Notice { text: "d".into(), ..notice.clone() }.save()).await.unwrap();
    assert!(matches!(saved, Outcome::Changed(_)));
    let made = db.run(batch([new("e"), new("f")])).await.unwrap();
    db.run(batch(made.iter().map(|notice| notice.update(to("g"))).collect::<Vec<_>>())).await.unwrap();
    assert_eq!(db.run(Notice::update_where(notices::text.eq("g"), to("h"))).await.unwrap(), 2);
    db.run(made[0].delete()).await.unwrap();
    assert_eq!(db.run(Notice::history(notice.id)).await.unwrap().len(), 5);
    assert_eq!(db.run(Notice::verify_table()).await.unwrap(), []);
    // A row that leaves the view is gone for the log.
    db.sql("UPDATE all_notices SET hidden = true WHERE text = 'h'").await;
    assert_eq!(db.run(Notice::adopt()).await.unwrap().gone, 1);
    assert_eq!(db.run(Notice::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn a_table_with_partitions() {
    let mut db = Db::new().await;
    db.sql(
        "ALTER TABLE items RENAME TO flat;
         CREATE TABLE items (LIKE flat INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id);
         CREATE TABLE items_even PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE items_odd PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    )
    .await;
    let items = db.run(batch((0..20).map(|value| Item::insert(lamp(value))).collect::<Vec<_>>())).await.unwrap();
    let item = db.run(items[0].add_value(AddValue(1))).await.unwrap();
    db.run(Item::insert(lamp(50))).await.unwrap();
    assert_eq!(db.run(Item::execute_where(item_rows::value.lt(9), AddValue(1))).await.unwrap(), 9);
    db.run(batch(items.iter().map(|item| item.add_value(AddValue(1))).collect::<Vec<_>>())).await.unwrap();
    db.sql("UPDATE items SET name = 'by hand' WHERE value > 12; DELETE FROM items_odd WHERE value < 6").await;
    let adopted = db.run(Item::adopt()).await.unwrap();
    assert!(adopted.changed > 0, "{adopted:?}");
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    db.sql("TRUNCATE items").await;
    let rebuilt = db.run(Item::rebuild()).await.unwrap();
    assert_eq!(rebuilt.inserted + adopted.gone, 21);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    match db.run(item.delete()).await {
        Ok(_) | Err(Error::Deleted { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// A constraint that is checked at the commit takes event and row with it.
#[tokio::test]
async fn a_constraint_that_is_checked_late() {
    let mut db = Db::new().await;
    db.sql(
        "ALTER TABLE items ADD CONSTRAINT values_differ UNIQUE (value) DEFERRABLE INITIALLY DEFERRED;
         CREATE TABLE orgs (id UUID PRIMARY KEY); INSERT INTO orgs VALUES ('00000000-0000-0000-0000-000000000001');
         ALTER TABLE items ADD FOREIGN KEY (org_id) REFERENCES orgs (id) DEFERRABLE INITIALLY DEFERRED",
    )
    .await;
    let items = db.run(batch([1, 2].map(|value| Item::insert(lamp(value))))).await.unwrap();
    // A statement of its own, a transaction of the library's, and one of the caller's.
    let error = db.run(items[0].add_value(AddValue(1))).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error:?}");
    let error = db.run(Item::insert(NewItem { org_id: Id::new(Uuid::from_u128(9)), ..lamp(3) })).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error:?}");
    let error = db.run(batch([items[0].add_value(AddValue(1))])).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error:?}");
    let error = db.run(Item::execute_where(item_rows::value.eq(1), AddValue(1))).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error:?}");
    db.begin().await;
    db.run(items[0].add_value(AddValue(1))).await.unwrap();
    db.run(items[1].add_value(AddValue(1))).await.unwrap();
    db.commit().await;
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 4);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn tables_of_one_name_do_not_share_a_log_unasked() {
    let mut db = Db::new().await;
    let both = || Migrations::of::<Item>().log::<elsewhere::Item>();
    for error in [db.run(both()).await.map(drop).unwrap_err(), db.run(both().status()).await.map(drop).unwrap_err()] {
        assert!(matches!(error, Error::AmbiguousLog { log: "items_events", .. }), "{error:?}");
        assert!(error.to_string().contains("db_schema"), "{error}");
    }
    db.run(Migrations::of::<Item>().log::<Item>()).await.unwrap();
}
