//! Rows that rules and policies keep from the user, types that change under a connection, and keys that sequences make.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::schema::items;
use evented_tests::models::*;
use uuid::Uuid;

use super::Db;

fn lamp(value: i32) -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: format!("lamp {value}"), value, note: None }
}

async fn lamps(db: &mut Db) -> Vec<Item> {
    db.run(batch([1, 2, 3].map(|value| Item::insert(lamp(value))))).await.unwrap()
}

/// Becomes a role that may write the items and their log, and to which policies apply.
async fn become_writer(db: &mut Db) {
    let role = format!("writer_{}", Uuid::now_v7().simple());
    db.sql(&format!("CREATE ROLE {role}")).await;
    let schema = format!("EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema())");
    db.sql(&format!("DO $$ BEGIN {schema}; END $$")).await;
    db.sql(&Migrations::of::<Item>().rights(role.as_str()).sql()).await;
    db.sql(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON items TO {role}")).await;
    db.sql(&format!("SET ROLE {role}")).await;
}

#[tokio::test]
async fn rules_that_do_nothing_instead() {
    for statement in ["INSERT", "UPDATE", "DELETE"] {
        let mut db = Db::new().await;
        let items = lamps(&mut db).await;
        db.sql(&format!("CREATE RULE nothing AS ON {statement} TO items DO INSTEAD NOTHING")).await;
        let command = match statement {
            "INSERT" => Item::insert(lamp(4)),
            "UPDATE" => items[0].add_value(AddValue(1)),
            _ => items[0].delete(),
        };
        // PostgreSQL refuses to return the rows that such a rule does not write.
        let error = db.run(command.clone()).await.unwrap_err();
        assert!(matches!(error, Error::Database { .. } | Error::NotWritten { .. }), "{error:?}");
        db.run(batch([command])).await.unwrap_err();
        db.sql("DROP RULE nothing ON items").await;
        assert_eq!(db.number("SELECT count(*) FROM items_events").await, 3);
        assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_hidden_row_is_not_taken_for_a_deleted_one() {
    let mut db = Db::new().await;
    let items = lamps(&mut db).await;
    db.sql("ALTER TABLE items ENABLE ROW LEVEL SECURITY").await;
    db.sql("CREATE POLICY visible ON items USING (value > 1) WITH CHECK (true)").await;
    become_writer(&mut db).await;
    let hidden = &items[0];
    for command in [hidden.add_value(AddValue(1)), hidden.delete(), Item::savepoint(hidden.id)] {
        let error = db.run(command.clone()).await.unwrap_err();
        assert!(matches!(error, Error::RowSecurity { .. }), "{error:?}");
        assert!(!error.is_missing() && !error.is_retryable() && !error.is_conflict());
        let Error::Batch { error, .. } = db.run(batch([command])).await.unwrap_err() else { panic!() };
        assert!(matches!(*error, Error::RowSecurity { .. }), "{error:?}");
    }
    let mut changed = hidden.clone();
    changed.value = 9;
    assert!(matches!(db.run(changed.save()).await, Err(Error::RowSecurity { .. })));
    assert!(matches!(db.run(Item::adopt()).await, Err(Error::RowSecurity { .. })));
    assert!(matches!(db.run(Item::verify(hidden.id)).await, Err(Error::RowSecurity { .. })));
    assert!(matches!(db.run(Item::verify_table()).await, Err(Error::RowSecurity { .. })));
    assert!(matches!(db.run(Item::materialize(hidden.id)).await, Err(Error::RowSecurity { .. })));
    assert!(matches!(db.run(Item::rebuild()).await, Err(Error::RowSecurity { .. })));
    // The rows that the policy shows can be written, and adopted.
    db.run(items[1].add_value(AddValue(1))).await.unwrap();
    assert_eq!(db.run(Item::execute_where(items::value.gt(0), AddValue(1))).await.unwrap(), 2);
    db.sql("UPDATE items SET value = 50 WHERE value = 4").await;
    let adopted = db.run(Item::adopt().filter(items::value.gt(0))).await.unwrap();
    assert!(adopted.changed >= 1, "{adopted:?}");
    db.sql("RESET ROLE").await;
    assert_eq!(db.run(Item::history(hidden.id)).await.unwrap().len(), 1);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn a_row_that_may_be_read_and_not_changed() {
    let mut db = Db::new().await;
    let items = lamps(&mut db).await;
    db.sql("ALTER TABLE items ENABLE ROW LEVEL SECURITY").await;
    db.sql("CREATE POLICY reads ON items FOR SELECT USING (true)").await;
    db.sql("CREATE POLICY changes ON items FOR UPDATE USING (value > 1)").await;
    become_writer(&mut db).await;
    let locked = &items[0];
    for command in [locked.add_value(AddValue(1)), locked.delete()] {
        let error = db.run(command).await.unwrap_err();
        assert!(matches!(error, Error::RowSecurity { .. }), "{error:?}");
    }
    // This one may be changed and not deleted.
    let error = db.run(items[1].delete()).await.unwrap_err();
    assert!(matches!(error, Error::NotWritten { .. }), "{error:?}");
    db.run(items[1].add_value(AddValue(1))).await.unwrap();
    db.sql("RESET ROLE").await;
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 4);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn a_connection_goes_on_after_the_types_of_a_table_changed() {
    let mut db = Db::new().await;
    let items = lamps(&mut db).await;
    for _ in 0..3 {
        db.run(items[0].add_value(AddValue(1))).await.unwrap();
        db.run(Item::execute_where(items::value.eq(2), AddValue(0))).await.unwrap();
    }
    let mut other = db.connect().await;
    other.sql("ALTER TABLE items ALTER COLUMN name TYPE VARCHAR(50)").await;
    let mut failures = 0;
    for round in 0..4 {
        let error = match db.run(items[0].add_value(AddValue(1))).await {
            Ok(_) => continue,
            Err(error) => error,
        };
        assert!(error.is_retryable() && round == 0, "{round}: {error:?}");
        failures += 1;
    }
    assert!(failures <= 1);
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn the_sequence_of_keys_continues_after_rows_that_came_back() {
    let mut db = Db::new().await;
    let new = |text: &str| Note::insert(NewNote { text: text.into() });
    let notes = db.run(batch(["a", "b", "c"].map(new))).await.unwrap();
    let forget = "DELETE FROM notes; ALTER SEQUENCE notes_id_seq RESTART";
    db.sql(forget).await;
    assert_eq!(db.run(Note::rebuild()).await.unwrap().inserted, 3);
    let d = db.run(new("d")).await.unwrap();
    assert_eq!(d.id, notes[2].id + 1);
    db.sql(forget).await;
    db.run(Note::materialize(d.id)).await.unwrap();
    let e = db.run(new("e")).await.unwrap();
    assert_eq!(e.id, d.id + 1);
    // It never goes back.
    db.sql("ALTER SEQUENCE notes_id_seq RESTART WITH 100").await;
    db.run(new("f")).await.unwrap();
    db.sql("DELETE FROM notes WHERE id < 100").await;
    db.run(Note::rebuild()).await.unwrap();
    assert_eq!(db.run(new("g")).await.unwrap().id, 101);
}
