//! Tests `wal`: publications and slots of PostgreSQL.

use serde_json::json;

use super::{Db, run};
use evented_tests::models::ledger::create;

/// Returns a unique name: slots belong to the whole server, and publications to the database.
fn name() -> String {
    format!("cli_{}", uuid::Uuid::now_v7().simple())
}

#[tokio::test]
async fn a_publication_and_a_slot_are_created_shown_and_removed() {
    let mut db = Db::new().await;
    create(&mut db).await;
    db.sql("CREATE TABLE bare (n INTEGER)").await;
    let (slot, shop) = (name(), name());

    let check = ["wal", "check", &shop, "--slot", &slot, "--model", "notes", "--json"];
    let problems = run(&db, &check).json(1)["problems"].to_string();
    for missing in ["`wal create-publication`, before the slot", "`wal create-slot`", "ALTER TABLE \\\"notes\\\" REPLICA IDENTITY FULL"] {
        assert!(problems.contains(missing), "{missing}: {problems}");
    }

    let publish = ["wal", "create-publication", &shop, "--model", "notes", "--table", "bare", "--json"];
    let added = run(&db, &publish).json(0);
    assert_eq!(added, json!({"publication": shop, "added": [r#""notes""#, r#""bare""#, r#""notes_events""#]}));
    let all = run(&db, &["wal", "create-publication", &shop]);
    assert!(all.text(0).starts_with(&format!("{shop}: published \"items\", \"pages\"")), "{all:?}");
    assert_eq!(run(&db, &["wal", "create-publication", &shop]).text(0), format!("{shop}: every table was published\n"));

    let made = run(&db, &["wal", "create-slot", &slot, "--json"]).json(0);
    assert_eq!((&made["slot"], &made["new"]), (&json!(slot), &json!(true)));
    let again = run(&db, &["wal", "create-slot", &slot, "--json"]).json(0);
    assert_eq!((&again["at"], &again["new"]), (&made["at"], &json!(false)));

    db.sql("ALTER TABLE notes REPLICA IDENTITY FULL; INSERT INTO notes (text) VALUES ('Milk')").await;
    assert_eq!(run(&db, &check[..7]).text(0), format!("{shop}: all is there\n"));
    let status = run(&db, &["wal", "slot-status", &slot, "--json"]).json(0);
    let status = &status["status"];
    assert_eq!((&status["active"], &status["health"]), (&json!(false), &json!("reserved")));
    assert!(status["lag"].as_i64() > Some(0) && status["retained"].as_i64() > Some(0), "{status}");
    let delivered = run(&db, &["wal", "slot-status", &slot]);
    assert!(delivered.text(0).contains(": not read, ") && delivered.text(0).contains(" of the log kept for it"), "{delivered:?}");

    db.sql(&format!("ALTER PUBLICATION {shop} SET TABLE notes (id), notes_events (id, record_id)")).await;
    let problems = run(&db, &check).json(1)["problems"].to_string();
    for part in ["\\\"notes\\\" that are read (text)", "\\\"notes_events\\\" that are read (revision, at, "] {
        assert!(problems.contains(part), "{part}: {problems}");
    }

    assert_eq!(run(&db, &["wal", "drop-slot", &slot]).text(0), format!("{slot}: removed\n"));
    assert_eq!(run(&db, &["wal", "drop-slot", &slot]).text(0), format!("there is no slot {slot}\n"));
    assert_eq!(run(&db, &["wal", "slot-status", &slot, "--json"]).json(1), json!({"slot": slot, "status": null}));
    let dropped = |dropped: bool| json!({"publication": shop, "dropped": dropped});
    for was_there in [true, false] {
        let done = run(&db, &["wal", "drop-publication", &shop, "--json"]).json(0);
        assert_eq!(done, dropped(was_there));
    }
}

#[tokio::test]
async fn models_and_tables_that_are_not_there_are_named() {
    let db = Db::new().await;
    let failure = run(&db, &["wal", "check", "shop", "--model", "itmes", "--json"]).error();
    assert!(failure.contains("itmes") && failure.contains("items"), "{failure}");
    let failure = run(&db, &["wal", "create-publication", "shop", "--table", "no.such", "--json"]).error();
    assert!(failure.contains("\"no\""), "{failure}");
}
