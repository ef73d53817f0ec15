//! Tests `rebuild`, `backfill` and `migrations`.

use evented_diesel::EventedDsl as _;
use evented_diesel::migrations::Database;
use evented_tests::models::{NewNote, Note};
use serde_json::json;
use tempfile::tempdir;

use super::{Db, run};
use evented_tests::models::ledger::create;

#[tokio::test]
async fn rebuild_makes_the_table_what_the_log_says() {
    let mut db = Db::new().await;
    for text in ["Milk", "Bread", "Salt"] {
        db.run(Note::insert(NewNote { text: text.into() })).await.unwrap();
    }
    db.sql("UPDATE notes SET text = 'Gold' WHERE text = 'Milk'").await;
    db.sql("DELETE FROM notes WHERE text = 'Bread'").await;
    db.sql("INSERT INTO notes (id, text) VALUES (77, 'Nobody')").await;
    let dry = run(&db, &["rebuild", "notes", "--dry-run"]);
    assert!(dry.text(1).contains("the row differs from the log in text"), "{dry:?}");
    let done = run(&db, &["rebuild", "notes", "--json"]).json(0);
    assert_eq!(done, json!({"schema": "notes", "inserted": 1, "updated": 1, "removed": 1}));
    assert_eq!(run(&db, &["rebuild", "notes"]).text(0), "notes: every row was what its log says\n");
    assert_eq!(
        run(&db, &["rebuild", "notes", "--dry-run"]).text(0),
        "notes: every row is what its log says\n"
    );
}

#[tokio::test]
async fn backfill_gives_rows_their_first_event() {
    let mut db = Db::new().await;
    for id in 1..=5 {
        db.sql(&format!("INSERT INTO notes (id, text) VALUES ({id}, 'Note {id}')")).await;
    }
    let done = run(&db, &["backfill", "notes", "--chunk", "2", "--json"]).json(0);
    assert_eq!(done, json!({"schema": "notes", "records": 5, "skipped": []}));
    assert_eq!(run(&db, &["backfill", "notes"]).text(0), "notes: every row has an event\n");
    let log = run(&db, &["log", "notes", "3", "--json"]).json(0);
    assert_eq!(log["events"][0]["action"], "external");
    assert_eq!(log["events"][0]["changes"], json!([{"field": "text", "from": null, "to": "Note 3"}]));
    run(&db, &["verify", "notes", "--json"]).json(0);
}

#[tokio::test]
async fn adopt_records_what_plain_sql_did() {
    let mut db = Db::new().await;
    for id in 1..=5 {
        db.sql(&format!("INSERT INTO notes (id, text) VALUES ({id}, 'Note {id}')")).await;
    }
    let adopted = |new: u64, changed: u64, gone: u64| {
        json!({"schema": "notes", "new": new, "changed": changed, "gone": gone, "skipped": []})
    };
    let done = run(&db, &["adopt", "notes", "--chunk", "2", "--by", "import", "--json"]).json(0);
    assert_eq!(done, adopted(5, 0, 0));
    db.sql("UPDATE notes SET text = 'Other' WHERE id < 3").await;
    db.sql("DELETE FROM notes WHERE id = 5").await;
    let done = run(&db, &["adopt", "notes", "--by", "ann"]);
    assert_eq!(done.text(0), "notes: recorded 2 changed rows, 0 new, 1 gone\n");
    assert_eq!(run(&db, &["adopt", "notes"]).text(0), "notes: every row is what its log says\n");
    let log = run(&db, &["log", "notes", "2", "--json"]).json(0);
    assert_eq!(log["events"][0]["actor"], "import");
    assert_eq!((&log["events"][1]["action"], &log["events"][1]["actor"]), (&json!("external"), &json!("ann")));
    run(&db, &["verify", "notes", "--json"]).json(0);
}

#[tokio::test]
async fn a_model_without_a_table_has_none_to_rebuild() {
    let mut db = Db::new().await;
    create(&mut db).await;
    for arguments in [["rebuild", "memos"], ["backfill", "memos"], ["adopt", "memos"]] {
        let failure = run(&db, &[arguments[0], arguments[1], "--json"]).error();
        assert_eq!(failure, "memos has no table: its records are in the log alone");
    }
}

#[tokio::test]
async fn missing_logs_are_reported_and_created() {
    let db = Db::new().await;
    let state = |log: &str, state: &str| json!({"log": log, "state": state});
    let logs = |ledger: &str| {
        let current = ["items_events", "notes_events", "pages_events"].map(|log| state(log, "current"));
        let logs = [&current[..], &[state("ledger", ledger)]].concat();
        json!({ "logs": logs })
    };
    assert_eq!(run(&db, &["migrations", "status", "--json"]).json(1), logs("missing"));
    let upgraded = run(&db, &["migrations", "upgrade", "--json"]).json(0);
    assert!(upgraded["steps"].to_string().contains("ledger"), "{upgraded}");
    assert_eq!(run(&db, &["migrations", "status", "--json"]).json(0), logs("current"));
    assert_eq!(run(&db, &["migrations", "upgrade"]).text(0), "every log is current\n");
    let status = run(&db, &["migrations", "status"]);
    assert!(status.text(0).contains("ledger         current"), "{status:?}");
}

#[tokio::test]
async fn a_folder_of_migrations_needs_no_database() {
    let db = Db::new().await;
    let mut program = super::program(&db);
    program.url = None;
    let folder = tempdir().unwrap();
    let path = folder.path().join("migrations");
    let path = path.to_str().unwrap();
    let written = program.run(&["migrations", "write", path, "--json"]).json(0);
    assert!(!written["written"].as_array().unwrap().is_empty());
    assert_eq!(program.run(&["migrations", "write", path]).text(0), "nothing is missing\n");
    assert_eq!(
        program.run(&["migrations", "check", path, "--json"]).json(0),
        json!({"current": true, "reason": null})
    );
    let other = match Db::DATABASE {
        Database::Postgres => "sqlite",
        Database::Sqlite => "postgres",
    };
    let stale = program.run(&["migrations", "check", path, "--database", other]);
    assert!(stale.text(1).ends_with("differs from what the library writes\n"), "{stale:?}");
    let printed = program.run(&["migrations", "print"]);
    let key = if Db::DATABASE == Database::Postgres { "UUID" } else { "BLOB" };
    assert!(printed.text(0).contains(&format!("\"record_id\" {key} NOT NULL")), "{printed:?}");
    let nowhere = program.run(&["migrations", "check", "/no/such/folder", "--json"]).error();
    assert!(nowhere.starts_with("/no/such/folder: "), "{nowhere}");
}
