//! Tests that every manual change of a log is found: every column of every row, in every way.

use std::collections::BTreeSet;

use evented_diesel::verify::{LogChecks, Checkpoint, Finding, Verdict};
use evented_diesel::migrations::Database;
use evented_diesel::{Error, KeyValue};
use evented_tests::models::Item;
use evented_tests::raw::tamper;
use uuid::Uuid;

use super::Db;
use evented_tests::models::ledger::{Account, Deposit, Ledger, Memo, NewAccount, NewMemo, create, wait_for_open_transactions};

struct Fixture {
    db: Db,
    accounts: Vec<Account>,
    checkpoint: Checkpoint,
}

/// Creates two accounts and a memo, with a few events each.
async fn fixture() -> Fixture {
    let mut db = Db::new().await;
    create(&mut db).await;
    let mut accounts = Vec::new();
    for owner in ["Ada", "Bob"] {
        let account = db.run(Account::insert(NewAccount { owner: owner.into(), balance: 1 }).by("clerk")).await.unwrap();
        for amount in 2..4 {
            db.run(account.deposit(Deposit(amount)).by("clerk")).await.unwrap();
        }
        accounts.push(account);
    }
    db.run(Memo::insert(NewMemo { text: "audit".into() })).await.unwrap();
    wait_for_open_transactions(&mut db).await;
    let checkpoint = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    assert_eq!(checkpoint.events, 7);
    assert_eq!(db.run(Ledger::verify_chain()).await.unwrap(), []);
    assert_eq!(db.run(Ledger::verify_checkpoints()).await.unwrap(), []);
    Fixture { db, accounts, checkpoint }
}

/// Returns the findings of the chain check and of the checkpoint check.
async fn found(db: &mut Db) -> (Vec<Finding>, Vec<Verdict>) {
    let chain = db.run(Ledger::verify_chain()).await.unwrap();
    let checkpoints = db.run(Ledger::verify_checkpoints()).await.unwrap();
    (chain, checkpoints.into_iter().map(|(_, verdict)| verdict).collect())
}

fn literal(bytes: &str) -> String {
    match Db::DATABASE {
        Database::Postgres => format!(r"'\x{bytes}'"),
        Database::Sqlite => format!("x'{bytes}'"),
    }
}

fn uuid(id: Uuid) -> String {
    match Db::DATABASE {
        Database::Postgres => format!("'{id}'"),
        Database::Sqlite => format!("x'{}'", id.simple()),
    }
}

#[tokio::test]
async fn a_changed_column_of_any_event_is_found_and_the_event_named() {
    let (id, hash, state) = (uuid(Uuid::from_u128(9)), literal(&"ab".repeat(32)), literal(&"cd".repeat(16)));
    let changes = [
        format!("id = {id}"),
        format!("hash = {hash}"),
        format!("state = {state}"),
        "version = version + 1".to_owned(),
        "schema = 'others'".to_owned(),
        "action = 'update'".to_owned(),
        "payload = '{\"owner\":\"Eve\",\"balance\":1000000}'".to_owned(),
        "meta = '{\"actor\":\"nobody\"}'".to_owned(),
        "meta = NULL".to_owned(),
        "at = '2020-01-01 00:00:00.000000+00:00'".to_owned(),
        format!("record_id = {}", uuid(Uuid::from_u128(8))),
        "revision = revision + 10".to_owned(),
    ];
    for change in changes {
        for revision in 1..=3 {
            let Fixture { mut db, accounts, .. } = fixture().await;
            let record = uuid(accounts[0].id.uuid());
            tamper(
                &mut db,
                "ledger",
                &format!("UPDATE ledger SET {change} WHERE record_id = {record} AND revision = {revision}"),
            )
            .await;
            let (chain, _) = found(&mut db).await;
            let named = |finding: &Finding| {
                let moved = [KeyValue::Uuid(accounts[0].id.uuid()), KeyValue::Uuid(Uuid::from_u128(8))];
                moved.contains(&finding.record)
            };
            // If the last event is moved away, the rest of its chain is valid. The moved event is found, and the
            // checkpoint is broken.
            assert!(!chain.is_empty() && chain.iter().all(named), "{change}, revision {revision}: {chain:?}");
            let first = chain.iter().filter_map(|finding| finding.revision).min();
            assert!(first >= Some(1) && first <= Some(i64::from(revision) + 11), "{change}: {chain:?}");
            if !["revision", "record_id", "schema"].iter().any(|moves| change.starts_with(moves)) {
                assert_eq!(first, Some(i64::from(revision)), "{change}: the first bad event is named");
            }
        }
    }
}

#[tokio::test]
async fn a_changed_place_in_the_log_is_found_by_the_chain_or_the_checkpoint() {
    for change in ["position = position + 100", "position = position - 100", "txid = txid + 1", "txid = txid - 1"] {
        for revision in 1..=3 {
            let Fixture { mut db, accounts, .. } = fixture().await;
            if Db::DATABASE == Database::Postgres && change.starts_with("position") {
                db.sql("ALTER TABLE ledger ALTER position DROP IDENTITY").await;
            }
            let record = uuid(accounts[1].id.uuid());
            tamper(
                &mut db,
                "ledger",
                &format!("UPDATE ledger SET {change} WHERE record_id = {record} AND revision = {revision}"),
            )
            .await;
            let (chain, checkpoints) = found(&mut db).await;
            assert!(!chain.is_empty() || !checkpoints.is_empty(), "{change}, revision {revision}");
            assert_eq!(checkpoints.len(), 1, "{change}, revision {revision}: {chain:?}");
        }
    }
}

#[tokio::test]
async fn a_removed_event_is_found() {
    for revision in 1..=3 {
        let Fixture { mut db, accounts, .. } = fixture().await;
        let record = uuid(accounts[0].id.uuid());
        tamper(&mut db, "ledger", &format!("DELETE FROM ledger WHERE record_id = {record} AND revision = {revision}"))
            .await;
        let (chain, checkpoints) = found(&mut db).await;
        if revision < 3 {
            assert_eq!(chain.len(), 1, "the chain has a hole: {chain:?}");
            assert_eq!(chain[0].record, KeyValue::Uuid(accounts[0].id.uuid()));
        }
        assert_eq!(checkpoints, [Verdict::Events { expected: 7, found: 6 }], "a cut tail shows in the checkpoint");
    }
}

#[tokio::test]
async fn a_record_removed_whole_shows_in_the_checkpoint() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    let record = uuid(accounts[0].id.uuid());
    tamper(&mut db, "ledger", &format!("DELETE FROM ledger WHERE record_id = {record}")).await;
    let (chain, checkpoints) = found(&mut db).await;
    assert_eq!(chain, []);
    assert_eq!(checkpoints, [Verdict::Events { expected: 7, found: 4 }]);
    // The remaining row is also found.
    let rows = db.run(Account::verify_table()).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].record, KeyValue::Uuid(accounts[0].id.uuid()));
}

#[tokio::test]
async fn events_that_change_places_are_found() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    let record = uuid(accounts[0].id.uuid());
    let swap = |from: i64, to: i64| format!("UPDATE ledger SET revision = {to} WHERE record_id = {record} AND revision = {from}");
    for (from, to) in [(2, 99), (3, 2), (99, 3)] {
        tamper(&mut db, "ledger", &swap(from, to)).await;
    }
    let (chain, _) = found(&mut db).await;
    assert_eq!(chain.len(), 1, "{chain:?}");
    assert_eq!((chain[0].record.clone(), chain[0].revision), (KeyValue::Uuid(accounts[0].id.uuid()), Some(2)));
}

#[tokio::test]
async fn an_event_put_in_is_found() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    let (record, id, hash) = (uuid(accounts[0].id.uuid()), uuid(Uuid::now_v7()), literal(&"ab".repeat(32)));
    db.sql(&format!(
        "INSERT INTO ledger (record_id, revision, at, version, schema, action, payload, id, state, hash) \
         SELECT record_id, 4, at, version, schema, action, payload, {id}, state, {hash} FROM ledger \
         WHERE record_id = {record} AND revision = 3"
    ))
    .await;
    let (chain, checkpoints) = found(&mut db).await;
    assert_eq!(chain.len(), 1, "{chain:?}");
    assert_eq!((chain[0].record.clone(), chain[0].revision), (KeyValue::Uuid(accounts[0].id.uuid()), Some(4)));
    assert_eq!(checkpoints, [], "it came after the checkpoint");
}

#[tokio::test]
async fn every_bad_record_is_named_and_only_its_first_bad_event() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    tamper(&mut db, "ledger", "UPDATE ledger SET payload = '{}' WHERE revision >= 2").await;
    let (chain, _) = found(&mut db).await;
    let records: BTreeSet<_> = chain.iter().map(|finding| (finding.record.clone(), finding.revision)).collect();
    let expected = accounts.iter().map(|account| (KeyValue::Uuid(account.id.uuid()), Some(2))).collect();
    assert_eq!(records, expected);
    assert_eq!(chain.len(), 2);
    // A check in pages of one event finds the same.
    let (mut check, mut findings, mut seen) = (Ledger::verify_chain().page_size(1), Vec::new(), 0);
    while let Some(checked) = db.run(check.page()).await.unwrap() {
        findings.extend(checked.findings);
        seen += checked.examined;
    }
    assert_eq!((findings, seen), (chain, 7));
}

#[tokio::test]
async fn another_spelling_of_the_same_json_is_no_damage() {
    let Fixture { mut db, .. } = fixture().await;
    let change = match Db::DATABASE {
        Database::Postgres => "payload = payload::jsonb::json, meta = meta::jsonb::json",
        Database::Sqlite => "payload = replace(replace(payload, ':', ' : '), ',', ' , '), meta = replace(meta, ':', ' : ')",
    };
    tamper(&mut db, "ledger", &format!("UPDATE ledger SET {change}")).await;
    let (chain, checkpoints) = found(&mut db).await;
    assert_eq!((chain, checkpoints), (vec![], vec![]));
}

#[tokio::test]
async fn a_column_that_cannot_be_read_is_found_like_any_other() {
    if Db::DATABASE == Database::Postgres {
        // The columns accept no other values.
        return;
    }
    for change in ["at = 'once'", "state = x'00'", "version = 'one'", "payload = 'no json'", "record_id = 'a key'"] {
        let Fixture { mut db, accounts, .. } = fixture().await;
        let record = uuid(accounts[0].id.uuid());
        tamper(&mut db, "ledger", &format!("UPDATE ledger SET {change} WHERE record_id = {record} AND revision = 2"))
            .await;
        let (chain, _) = found(&mut db).await;
        assert!(!chain.is_empty(), "{change}");
    }
}

#[tokio::test]
async fn one_record_is_verified_by_itself() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    assert_eq!(db.run(Account::verify(accounts[0].id)).await.unwrap(), []);
    db.sql("UPDATE accounts SET balance = 1000000").await;
    let row = db.run(Account::verify(accounts[0].id)).await.unwrap();
    assert_eq!(row.len(), 1);
    assert_eq!(row[0].to_string(), format!("accounts {}: the row differs from the log in balance", accounts[0].id));
    tamper(&mut db, "ledger", "UPDATE ledger SET payload = '1000000' WHERE revision = 2").await;
    let all = db.run(Account::verify(accounts[0].id)).await.unwrap();
    assert!(all.iter().any(|finding| finding.revision == Some(2)), "{all:?}");
}

#[tokio::test]
async fn a_copy_of_a_checkpoint_elsewhere_shows_what_was_done_to_the_log_and_its_checkpoints() {
    let Fixture { mut db, accounts, checkpoint } = fixture().await;
    let copy: Checkpoint = serde_json::from_str(&serde_json::to_string(&checkpoint).unwrap()).unwrap();
    assert_eq!(copy, checkpoint);
    let record = uuid(accounts[0].id.uuid());
    tamper(&mut db, "ledger", &format!("DELETE FROM ledger WHERE record_id = {record}")).await;
    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints").await;
    wait_for_open_transactions(&mut db).await;
    db.run(Ledger::checkpoint()).await.unwrap();
    assert_eq!(db.run(Ledger::verify_checkpoints()).await.unwrap(), [], "all were created again");
    assert_ne!(db.run(Ledger::verify_checkpoint(&copy)).await.unwrap(), Verdict::Holds);
}

#[tokio::test]
async fn a_log_without_hashes_says_so() {
    let mut db = Db::new().await;
    let error = db.run(<Item as evented_diesel::Model>::Log::verify_chain()).await.unwrap_err();
    assert!(matches!(error, Error::NotHashed { log: "items_events" }), "{error}");
    let error = db.run(<Item as evented_diesel::Model>::Log::checkpoint()).await.unwrap_err();
    assert!(matches!(error, Error::NotHashed { .. }), "{error}");
}
