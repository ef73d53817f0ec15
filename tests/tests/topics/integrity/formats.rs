//! Tests the format of a log, and its upgrade to the present format.

use evented_diesel::Error;
use evented_diesel::migrations::Migrations;
use evented_diesel::migrations::LogState;
use evented_tests::models::Item;

use super::Db;
use evented_tests::models::ledger::Ledger;

fn logs() -> Migrations {
    Migrations::new().log::<Item>().event_log::<Ledger>()
}

async fn states(db: &mut Db) -> Vec<LogState> {
    db.run(logs().status()).await.unwrap().into_iter().map(|status| status.state).collect()
}

#[tokio::test]
async fn a_log_knows_its_form_and_is_brought_to_todays() {
    let mut db = Db::new().await;
    assert_eq!(states(&mut db).await, [LogState::Current, LogState::Missing]);
    assert_eq!(db.run(logs()).await.unwrap(), ["evented1_ledger", "evented2_ledger"]);
    assert_eq!(states(&mut db).await, [LogState::Current, LogState::Current]);
    assert!(db.run(logs()).await.unwrap().is_empty(), "there is nothing to do");
}

#[tokio::test]
async fn a_log_of_the_first_form_works_and_is_upgraded() {
    let mut db = Db::new().await;
    // The log as the first version of the library created it.
    let sql = Migrations::new().log::<Item>().up_sql(Db::DATABASE);
    let first_form = &sql[..sql.find("CREATE FUNCTION").or_else(|| sql.find("CREATE TRIGGER")).unwrap()];
    for (_, down) in [("", Migrations::new().log::<Item>().down_sql(Db::DATABASE))] {
        db.sql(&down).await;
    }
    db.sql("DELETE FROM evented_logs").await;
    db.sql("DROP TABLE evented_logs").await;
    db.sql(first_form).await;
    let log = Migrations::new().log::<Item>();
    let status = db.run(log.clone().status()).await.unwrap();
    assert_eq!(status[0].state, LogState::Older { found: 1 });
    let new = evented_tests::models::NewItem {
        org_id: evented_diesel::Id::new(uuid::Uuid::now_v7()),
        name: "Lamp".into(),
        value: 1,
        note: None,
    };
    let item = db.run(Item::insert(new)).await.unwrap();
    db.sql("UPDATE items_events SET version = version").await;
    assert_eq!(db.run(log.clone()).await.unwrap(), ["evented2_items_events"]);
    assert_eq!(db.run(log.status()).await.unwrap()[0].state, LogState::Current);
    db.try_sql("UPDATE items_events SET version = version").await.unwrap_err();
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap(), Some(item));
}

#[tokio::test]
async fn a_log_of_a_newer_form_is_left_alone() {
    let mut db = Db::new().await;
    db.sql("UPDATE evented_logs SET format = 99 WHERE log = 'items_events'").await;
    assert_eq!(states(&mut db).await[0], LogState::Newer { found: 99 });
    let error = db.run(logs()).await.unwrap_err();
    assert!(matches!(error, Error::LogFormat { log: "items_events", found: 99, .. }), "{error}");
    assert_eq!(states(&mut db).await[1], LogState::Missing, "nothing was done");
}
