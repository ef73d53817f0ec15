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
async fn a_missing_log_is_created_once() {
    let mut db = Db::new().await;
    assert_eq!(states(&mut db).await, [LogState::Current, LogState::Missing]);
    assert_eq!(db.run(logs()).await.unwrap(), ["evented1_ledger"]);
    assert_eq!(states(&mut db).await, [LogState::Current, LogState::Current]);
    assert!(db.run(logs()).await.unwrap().is_empty(), "there is nothing to do");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_that_start_at_once_upgrade_at_once() {
    for table_of_formats in ["", "DROP TABLE evented_logs"] {
        let mut db = Db::new().await;
        if !table_of_formats.is_empty() {
            db.sql(table_of_formats).await;
        }
        let mut connections = Vec::new();
        for _ in 0..8 {
            connections.push(db.connect().await);
        }
        let programs: Vec<_> = connections
            .into_iter()
            .map(|mut db| tokio::spawn(async move { db.run(Migrations::new().event_log::<Ledger>()).await.unwrap() }))
            .collect();
        let mut done = Vec::new();
        for program in programs {
            done.extend(program.await.unwrap());
        }
        assert_eq!(done, ["evented1_ledger"]);
        assert_eq!(states(&mut db).await[1], LogState::Current);
    }
}
