//! Tests the rights of a role that may append to a log and no more.

use evented_diesel::EventedDsl as _;
use evented_diesel::migrations::Migrations;
use evented_tests::models::ledger::{Account, Deposit, Ledger, NewAccount, create};
use evented_tests::models::{AddValue, Item, NewItem};

use super::Db;

fn lamp() -> NewItem {
    NewItem { org_id: evented_diesel::Id::new(uuid::Uuid::now_v7()), name: "Lamp".into(), value: 1, note: None }
}

/// Gives a new role the rights on the logs and the tables, and becomes it.
async fn become_writer(db: &mut Db) {
    let role = format!("writer_{}", uuid::Uuid::now_v7().simple());
    let rights = Migrations::of::<Item>().event_log::<Ledger>().rights(role.as_str());
    db.sql(&format!("CREATE ROLE {role}")).await;
    // The tables of this test are in a schema of its own.
    let schema = format!("EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema())");
    db.sql(&format!("DO $$ BEGIN {schema}; END $$")).await;
    db.sql(&rights.sql()).await;
    for table in ["items", "accounts"] {
        db.sql(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")).await;
    }
    db.sql(&format!("SET ROLE {role}")).await;
}

#[tokio::test]
async fn the_rights_are_enough_for_every_command() {
    let mut db = Db::new().await;
    create(&mut db).await;
    become_writer(&mut db).await;
    let item = db.run(Item::insert(lamp()).idempotent(uuid::Uuid::now_v7())).await.unwrap();
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(evented_diesel::batch([item.add_value(AddValue(1)), Item::insert(lamp())])).await.unwrap();
    db.sql("UPDATE items SET value = 70").await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(Item::savepoint(item.id)).await.unwrap();
    assert_eq!(db.run(Item::history(item.id)).await.unwrap().len(), 6);
    db.run(item.delete()).await.unwrap();
    let account = NewAccount { owner: "Ada".into(), balance: 1 };
    let account = db.run(Account::insert(account)).await.unwrap();
    db.run(account.deposit(Deposit(1))).await.unwrap();
    assert!(db.run(Account::verify(account.id)).await.unwrap().is_empty());
}

/// A writer whose transaction got its number before that of the record's last event.
#[tokio::test]
async fn a_transaction_that_began_early_may_follow_a_younger_one() {
    let mut db = Db::new().await;
    create(&mut db).await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let mut other = db.connect().await;
    become_writer(&mut db).await;
    db.begin().await;
    db.sql("SELECT txid_current()").await;
    other.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.commit().await;
}

#[tokio::test]
async fn nothing_else_is_allowed() {
    let mut db = Db::new().await;
    create(&mut db).await;
    db.run(Item::insert(lamp())).await.unwrap();
    db.run(Account::insert(NewAccount { owner: "Ada".into(), balance: 1 })).await.unwrap();
    become_writer(&mut db).await;
    let copy = |columns: &str, values: &str| {
        format!(
            "INSERT INTO items_events ({columns} record_id, revision, at, version, action, payload, id, \
             state) SELECT {values} record_id, 2, at, version, action, payload, gen_random_uuid(), state \
             FROM items_events"
        )
    };
    for refused in [
        copy("position,", "1000000,"),
        copy("position,", "1000000,").replace(") SELECT", ") OVERRIDING SYSTEM VALUE SELECT"),
        copy("txid,", "1,"),
        copy("txid,", "txid_current() - 1,"),
        copy("txid,", "txid_current() + 1000000,"),
        copy("txid,", "4611686018427387904,"),
        "UPDATE items_events SET action = 'other'".to_owned(),
        "UPDATE items_events SET action = 'other' WHERE false".to_owned(),
        "DELETE FROM items_events".to_owned(),
        "TRUNCATE items_events".to_owned(),
        "DROP TABLE items_events".to_owned(),
        "ALTER TABLE items_events DISABLE TRIGGER append_only".to_owned(),
        "INSERT INTO ledger_tree VALUES (0, 0, 0, 0, 1, '')".to_owned(),
        "INSERT INTO ledger_checkpoints SELECT * FROM ledger_checkpoints".to_owned(),
        "DELETE FROM ledger_checkpoints".to_owned(),
        "UPDATE evented_logs SET format = 9".to_owned(),
    ] {
        assert!(db.try_sql(&refused).await.is_err(), "{refused}");
    }
    db.sql(&copy("", "")).await;
    db.sql("RESET ROLE").await;
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 2);
}
