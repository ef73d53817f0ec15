//! Tests `verify`, `checkpoint` and `verify-checkpoints`.

use evented_diesel::EventedDsl as _;
use std::io::Write;

use evented_diesel::migrations::Database;
use evented_tests::models::{NewNote, Note};
use evented_tests::raw::tamper;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{Db, run};
use evented_tests::models::ledger::{Account, Deposit, Memo, NewAccount, NewMemo, create, wait_for_open_transactions};

/// Creates two accounts with three events each, and a memo.
async fn ledger() -> (Db, Vec<Account>) {
    let mut db = Db::new().await;
    create(&mut db).await;
    let mut accounts = Vec::new();
    for owner in ["Ada", "Bob"] {
        let new = NewAccount { owner: owner.into(), balance: 1 };
        let mut account = db.run(Account::insert(new).by("clerk")).await.unwrap();
        for amount in 2..4 {
            account = db.run(account.deposit(Deposit(amount))).await.unwrap();
        }
        accounts.push(account);
    }
    db.run(Memo::insert(NewMemo { text: "audit".into() })).await.unwrap();
    wait_for_open_transactions(&mut db).await;
    (db, accounts)
}

/// Returns `(check, of, record, revision or checkpoint, issue)` of each finding.
fn findings(answer: &Value) -> Vec<(String, String, String, i64, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = answer["findings"].as_array().unwrap();
    let one = |it: &Value| {
        let place = it["revision"].as_i64().or(it["checkpoint"].as_i64()).unwrap_or(0);
        (text(&it["check"]), text(&it["of"]), text(&it["record"]), place, text(&it["issue"]))
    };
    findings.iter().map(one).collect()
}

fn finding(
    check: &str,
    of: &str,
    record: &str,
    place: i64,
    issue: &str,
) -> (String, String, String, i64, String) {
    (check.into(), of.into(), record.into(), place, issue.into())
}

fn key_file(digits: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{digits}").unwrap();
    file
}

#[tokio::test]
async fn all_is_well_where_nobody_meddled() {
    let (mut db, accounts) = ledger().await;
    db.run(Note::insert(NewNote { text: "Milk".into() })).await.unwrap();
    let answer = run(&db, &["verify", "--json"]).json(0);
    assert_eq!(answer["findings"], json!([]));
    let checks: Vec<_> = answer["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["check"].as_str().unwrap(), it["of"].as_str().unwrap(), it["seen"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        checks,
        [
            ("table", "items", 0),
            ("table", "notes", 2),
            ("table", "pages", 0),
            ("table", "accounts", 8),
            ("replay", "memos", 1),
            ("chain", "ledger", 7),
            ("checkpoints", "ledger", 0)
        ]
    );
    let text = run(&db, &["verify", "accounts", "--replay", "--sample", "1"]);
    assert_eq!(
        text.text(0),
        "table of accounts: 8 rows and events, well\nreplay of accounts: 6 events, well\n\
         chain of ledger: 7 events, well\ncheckpoints of ledger: 0 checkpoints, 7 events after the last one, well\n"
    );
    assert_eq!(
        run(&db, &["verify", "accounts", &accounts[0].id.to_string()]).text(0),
        "record of accounts: 3 events, well\n"
    );
}

#[tokio::test]
async fn a_changed_row_and_a_changed_event_are_found() {
    let (mut db, accounts) = ledger().await;
    let id = accounts[0].id.to_string();
    db.sql("UPDATE accounts SET balance = 1000 WHERE owner = 'Ada'").await;
    let expected = [finding("table", "accounts", &id, 0, "row")];
    let answer = run(&db, &["verify", "--json"]).json(1);
    assert_eq!(findings(&answer), expected);
    assert_eq!(answer["findings"][0]["columns"], json!(["balance"]));
    let record = run(&db, &["verify", "accounts", &id, "--json"]).json(1);
    assert_eq!(findings(&record), [finding("record", "accounts", &id, 0, "row")]);
    let dry = run(&db, &["rebuild", "accounts", "--dry-run", "--json"]).json(1);
    assert_eq!(findings(&dry), expected);

    tamper(
        &mut db,
        "ledger",
        "UPDATE ledger SET payload = '1000000' WHERE revision = 2 AND action = 'deposit'",
    )
    .await;
    let answer = run(&db, &["verify", "accounts", "--replay", "--json"]).json(1);
    let found = findings(&answer);
    for account in &accounts {
        let id = account.id.to_string();
        for check in
            [finding("replay", "accounts", &id, 2, "state"), finding("chain", "accounts", &id, 2, "hash")]
        {
            assert!(found.contains(&check), "{check:?} in {found:?}");
        }
    }
    let text = run(&db, &["verify"]);
    assert!(text.text(1).contains("the event is not the one that was written"), "{text:?}");
    assert!(
        text.text(1)
            .ends_with("chain of ledger: 7 events, 2 findings\ncheckpoints of ledger: 0 checkpoints, 7 events after the last one, well\n"),
        "{text:?}"
    );
}

#[tokio::test]
async fn a_log_that_cannot_be_replayed_is_shown() {
    let (mut db, accounts) = ledger().await;
    let id = accounts[0].id.to_string();
    tamper(&mut db, "ledger", r#"UPDATE ledger SET payload = '"much"' WHERE revision = 2"#).await;
    let log = run(&db, &["log", "accounts", &id, "--json"]).json(1);
    let events = log["events"].as_array().unwrap();
    assert_eq!(events[0]["fault"], json!(null));
    assert!(events[1]["fault"].as_str().unwrap().contains("its payload does not decode"), "{log}");
    assert_eq!((&events[1]["payload"], &events[1]["changes"]), (&json!("much"), &json!(null)));
    assert_eq!((&events[2]["fault"], &events[2]["changes"]), (&json!(null), &json!(null)));
    let text = run(&db, &["log", "accounts", &id]);
    assert!(text.text(1).contains("cannot be replayed: its payload does not decode"), "{text:?}");
    assert!(text.text(1).contains(r#"payload: "much""#), "{text:?}");
    let failure = run(&db, &["show", "accounts", &id, "--json"]).error();
    assert!(failure.starts_with(&format!("accounts {id}: event 2 (action `deposit`")), "{failure}");
}

#[tokio::test]
async fn a_checkpoint_shows_what_was_taken_away() {
    let (mut db, accounts) = ledger().await;
    let made = run(&db, &["checkpoint", "ledger", "--json"]).json(0);
    assert_eq!((&made["log"], &made["checkpoint"]["size"]), (&json!("ledger"), &json!(7)));
    let again = run(&db, &["checkpoint", "ledger"]);
    assert_eq!(again.text(0), "ledger: no event since the last checkpoint\n");
    let copy = key_file(&made.to_string());
    let copy = copy.path().to_str().unwrap();
    assert_eq!(run(&db, &["verify-checkpoints"]).text(0), "checkpoints of ledger: 1 checkpoint, well\n");
    run(&db, &["verify-checkpoints", "ledger", "--against", copy, "--json"]).json(0);
    // A copy is the answer of the command or the checkpoint alone, and nothing is skipped.
    let mut replaced = made["checkpoint"].clone();
    replaced["size"] = json!(6);
    for (copies, code) in [
        (made["checkpoint"].to_string(), 0),
        (json!([made["checkpoint"]]).to_string(), 0),
        (format!("{made}\n{replaced}"), 1),
        (format!("{made}\n[{replaced}]"), 1),
    ] {
        let file = key_file(&copies);
        run(&db, &["verify-checkpoints", "ledger", "--against", file.path().to_str().unwrap(), "--json"]).json(code);
    }
    let misspelt = key_file(&format!("{made}\n{{\"checkpont\":{replaced}}}"));
    let misspelt = ["verify-checkpoints", "ledger", "--against", misspelt.path().to_str().unwrap(), "--json"];
    assert!(run(&db, &misspelt).error().contains("no checkpoint"));

    tamper(&mut db, "ledger", "DELETE FROM ledger WHERE revision = 3").await;
    let expected = [finding("checkpoints", "ledger", "", 1, "events")];
    assert_eq!(findings(&run(&db, &["verify-checkpoints", "--json"]).json(1)), expected);
    assert_eq!(
        findings(&run(&db, &["verify-checkpoints", "ledger", "--against", copy, "--json"]).json(1)),
        expected
    );
    let all = findings(&run(&db, &["verify", "--json"]).json(1));
    assert!(
        all.contains(&expected[0])
            && all.contains(&finding("table", "accounts", &accounts[0].id.to_string(), 0, "row")),
        "{all:?}"
    );
    let text = run(&db, &["verify-checkpoints", "ledger"]);
    assert!(text.text(1).contains("it was made over 7 events, and there are 5"), "{text:?}");
}

#[tokio::test]
async fn a_checkpoint_with_a_key_takes_the_key_to_check() {
    let (mut db, _) = ledger().await;
    let (key, other) = (key_file(&"0a".repeat(32)), key_file(&"0b".repeat(32)));
    let (key, other) = (key.path().to_str().unwrap(), other.path().to_str().unwrap());
    let made = run(&db, &["checkpoint", "ledger", "--key-file", key, "--json"]).json(0);
    assert_eq!(made["checkpoint"]["signature"]["signer"], "evented");
    run(&db, &["verify", "--key-file", key, "--json"]).json(0);
    let unhashed = run(&db, &["verify", "items", "--key-file", key, "--json"]).error();
    assert!(unhashed.contains("no log to verify is hashed"), "{unhashed}");
    let changed = run(&db, &["verify-checkpoints", "ledger", "--key-file", other, "--json"]).json(1);
    assert_eq!(findings(&changed), [finding("checkpoints", "ledger", "", 1, "signature")]);
    let named = ["verify-checkpoints", "ledger", "--key-file", key, "--key-name", "another", "--json"];
    assert_eq!(findings(&run(&db, &named).json(1)), [finding("checkpoints", "ledger", "", 1, "other_signer")]);

    // An attacker replaces the checkpoint by one without a signature. Only a check with the key finds it.
    let empty = if Db::DATABASE == Database::Sqlite { "x''" } else { "''" };
    let unsign = format!("UPDATE ledger_checkpoints SET signer = '', signature = {empty}");
    tamper(&mut db, "ledger_checkpoints", &unsign).await;
    run(&db, &["verify", "--json"]).json(0);
    let unsigned = run(&db, &["verify", "--key-file", key, "--json"]).json(1);
    assert_eq!(findings(&unsigned), [finding("checkpoints", "ledger", "", 1, "unsigned")]);
}

#[tokio::test]
async fn a_proof_is_checked_without_the_database() {
    let (db, accounts) = ledger().await;
    let id = accounts[0].id.to_string();
    let early = run(&db, &["prove-event", "accounts", &id, "2", "--json"]).error();
    assert!(early.contains("no checkpoint covers the event"), "{early}");
    let key = key_file(&"0a".repeat(32));
    let key = key.path().to_str().unwrap();
    run(&db, &["checkpoint", "ledger", "--key-file", key, "--json"]).json(0);
    let proof = run(&db, &["prove-event", "accounts", &id, "2"]).text(0).to_owned();
    let file = key_file(&proof);
    let file = file.path().to_str().unwrap();
    let checked = run(&db, &["check-proof", file, "--key-file", key, "--json"]).json(0);
    assert_eq!((&checked["holds"], &checked["signatures_checked"]), (&json!(true), &json!(true)));
    let unsigned = run(&db, &["check-proof", file]).text(0).to_owned();
    assert!(unsigned.contains("the signatures were not checked"), "{unsigned}");
    let mut forged: Value = serde_json::from_str(&proof).unwrap();
    forged["checkpoint"]["size"] = json!(6);
    let forged = key_file(&forged.to_string());
    let forged = run(&db, &["check-proof", forged.path().to_str().unwrap(), "--json"]).json(1);
    assert_eq!(forged["holds"], false);
    let log = key_file(run(&db, &["prove-log", "ledger", "1"]).text(0));
    let text = run(&db, &["check-proof", log.path().to_str().unwrap(), "--key-file", key]);
    let text = text.text(0);
    assert_eq!(text, "checkpoint 1 of the log `ledger` continues checkpoint 1\n");
    let missing = run(&db, &["prove-event", "accounts", &id, "99", "--json"]).error();
    assert!(missing.contains(&id), "{missing}");
    let nothing = run(&db, &["check-proof", key, "--json"]).error();
    assert!(nothing.contains("no proof"), "{nothing}");
}
