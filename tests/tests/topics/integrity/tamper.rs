//! Tests that every manual change of a log is found: every column of every row, in every way.

use std::collections::BTreeSet;

use diesel::QueryDsl;
use evented_diesel::checkpoints::{Checkpoint, CheckpointIssue, Checkpointed, HmacKey, SignatureFault};
use evented_diesel::verify::{Finding, LogChecks};
use evented_diesel::migrations::Database;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, KeyValue};
use evented_tests::models::Item;
use evented_tests::raw::tamper;
use uuid::Uuid;

use super::Db;
use evented_tests::models::ledger::{ledger, Account, Deposit, Ledger, Memo, NewAccount, NewMemo, create, wait_for_open_transactions};

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
    let checkpoint = db.run(Ledger::checkpoint().signed_by(key())).await.unwrap().unwrap();
    assert_eq!(checkpoint.size, 7);
    assert_eq!(found(&mut db).await, (vec![], vec![]));
    Fixture { db, accounts, checkpoint }
}

/// The key that the database does not know.
fn key() -> HmacKey {
    HmacKey::new("auditor", [7; 32])
}

/// Returns the findings of the chain check and of the checkpoint check.
async fn found(db: &mut Db) -> (Vec<Finding>, Vec<CheckpointIssue>) {
    let chain = db.run(Ledger::verify_chain()).await.unwrap();
    let report = db.run(Ledger::verify_checkpoints().signed_by(key())).await.unwrap();
    (chain, report.findings.into_iter().map(|finding| finding.issue).collect())
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
        "meta = '{}'".to_owned(),
        match Db::DATABASE {
            Database::Postgres => "given_id = NOT given_id".to_owned(),
            Database::Sqlite => "given_id = 1 - given_id".to_owned(),
        },
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
        if Db::DATABASE == Database::Sqlite && change.starts_with("txid") {
            // The table accepts no number of a transaction.
            continue;
        }
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
            assert!(!checkpoints.is_empty(), "{change}, revision {revision}: {chain:?}");
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
        assert_eq!(checkpoints, [CheckpointIssue::Events { expected: 7, found: 6 }], "a cut tail shows in the checkpoint");
    }
}

#[tokio::test]
async fn a_record_removed_whole_shows_in_the_checkpoint() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    let record = uuid(accounts[0].id.uuid());
    tamper(&mut db, "ledger", &format!("DELETE FROM ledger WHERE record_id = {record}")).await;
    let (chain, checkpoints) = found(&mut db).await;
    assert_eq!(chain, []);
    assert_eq!(checkpoints, [CheckpointIssue::Events { expected: 7, found: 4 }]);
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
async fn another_spelling_of_the_same_json_is_another_text() {
    let Fixture { mut db, .. } = fixture().await;
    let spaced = match Db::DATABASE {
        Database::Postgres => "replace(payload::text, ':', ' :')::json",
        Database::Sqlite => "replace(payload, ':', ' :')",
    };
    tamper(&mut db, "ledger", &format!("UPDATE ledger SET payload = {spaced}")).await;
    let (chain, _) = found(&mut db).await;
    assert_eq!(chain.len(), 3, "{chain:?}");
}

#[tokio::test]
async fn an_erased_document_keeps_the_chain_and_the_checkpoints() {
    let Fixture { mut db, .. } = fixture().await;
    let payloads: Vec<String> = db.load(ledger::table.select(ledger::payload)).await;
    for payload in payloads {
        let erased = evented_diesel::Json::from_text(payload.clone()).erased();
        let json = if Db::DATABASE == Database::Postgres { "::json" } else { "" };
        let column = if Db::DATABASE == Database::Postgres { "payload::text" } else { "payload" };
        let sql = format!("UPDATE ledger SET payload = '{erased}'{json} WHERE {column} = '{payload}'");
        tamper(&mut db, "ledger", &sql).await;
    }
    assert_eq!(found(&mut db).await, (vec![], vec![]));
    // The text that stands for an erased one cannot be changed.
    let last = if Db::DATABASE == Database::Postgres { "payload::text" } else { "payload" };
    let json = if Db::DATABASE == Database::Postgres { "::json" } else { "" };
    tamper(
        &mut db,
        "ledger",
        &format!("UPDATE ledger SET payload = replace({last}, 'a', 'b'){json} WHERE schema = 'memos'"),
    )
    .await;
    let (chain, _) = found(&mut db).await;
    assert_eq!(chain.len(), 1, "{chain:?}");
}

#[tokio::test]
async fn a_column_that_cannot_be_read_is_found_like_any_other() {
    if Db::DATABASE == Database::Postgres {
        // The columns accept no other values.
        return;
    }
    // The tables are strict, so a value of another type needs another table.
    for change in [
        "at = 'once'",
        "at = '2026-01-31T12:00:00Z'",
        "at = replace(at, '+00:00', '+01:00')",
        // The same time in another spelling.
        "at = replace(at, ' ', 'T')",
        "state = x'00'",
        "version = 'one'",
        "payload = 'no json'",
        "record_id = 'a key'",
        "record_id = CAST(hex(record_id) AS TEXT)",
        "given_id = 2",
    ] {
        let Fixture { mut db, accounts, .. } = fixture().await;
        let record = uuid(accounts[0].id.uuid());
        db.sql("CREATE TABLE copy AS SELECT * FROM ledger; DROP TABLE ledger; ALTER TABLE copy RENAME TO ledger").await;
        db.sql(&format!("UPDATE ledger SET {change} WHERE record_id = {record} AND revision = 2")).await;
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
    tamper(&mut db, "ledger_tree", "DELETE FROM ledger_tree").await;
    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints").await;
    let against = |copy: &Checkpoint| Ledger::verify_checkpoints().against([copy.clone()]);
    let missing = db.run(against(&copy)).await.unwrap();
    assert_eq!(missing.findings[0].issue, CheckpointIssue::Missing);
    wait_for_open_transactions(&mut db).await;
    // The program signs what is left, as if nothing had happened.
    db.run(Ledger::checkpoint().signed_by(key())).await.unwrap();
    assert_eq!(found(&mut db).await, (vec![], vec![]), "all were created again");
    let replaced = db.run(against(&copy)).await.unwrap();
    assert_eq!(replaced.findings[0].issue, CheckpointIssue::Replaced);
}

/// An attacker who may write every table, and does not have the key, changes each column of a checkpoint.
#[tokio::test]
async fn a_changed_column_of_a_checkpoint_is_found() {
    let hash = literal(&"ab".repeat(32));
    let changes = [
        "number = 2".to_owned(),
        "size = size - 1".to_owned(),
        "after_txid = after_txid + 1".to_owned(),
        "after_position = after_position + 1".to_owned(),
        "to_txid = to_txid + 1".to_owned(),
        "to_position = to_position - 1".to_owned(),
        "floor = 1".to_owned(),
        "highest = highest + 1".to_owned(),
        "at = '2020-01-01 00:00:00.000000+00:00'".to_owned(),
        format!("root = {hash}"),
        format!("frontier = {hash}"),
        format!("previous = {hash}"),
        "signer = 'another'".to_owned(),
        "signer = ''".to_owned(),
        format!("signature = {hash}"),
        format!("signature = {}", literal("")),
    ];
    for change in changes {
        let Fixture { mut db, .. } = fixture().await;
        tamper(&mut db, "ledger_checkpoints", &format!("UPDATE ledger_checkpoints SET {change}")).await;
        let (_, checkpoints) = found(&mut db).await;
        assert!(!checkpoints.is_empty(), "{change}");
    }
}

#[tokio::test]
async fn checkpoints_that_the_key_did_not_sign_are_findings() {
    let Fixture { mut db, .. } = fixture().await;
    // The attacker rewrites the log. Its new checkpoints have no signature, or that of another key.
    for sql in ["DELETE FROM ledger_checkpoints", "DELETE FROM ledger_tree", "DELETE FROM ledger WHERE revision > 1"] {
        let table = sql.split(' ').nth(2).unwrap();
        tamper(&mut db, table, sql).await;
    }
    let unsigned = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    assert_eq!(unsigned.size, 3);
    let (_, checkpoints) = found(&mut db).await;
    assert_eq!(checkpoints, [CheckpointIssue::Signature(SignatureFault::Unsigned)]);
    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints").await;
    db.run(Ledger::checkpoint().signed_by(HmacKey::new("auditor", [8; 32]))).await.unwrap();
    let (_, checkpoints) = found(&mut db).await;
    assert_eq!(checkpoints, [CheckpointIssue::Signature(SignatureFault::Broken)]);
    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints").await;
    db.run(Ledger::checkpoint().signed_by(HmacKey::new("other", [7; 32]))).await.unwrap();
    let (_, checkpoints) = found(&mut db).await;
    let signer = "other".to_owned();
    assert_eq!(checkpoints, [CheckpointIssue::Signature(SignatureFault::OtherSigner { signer })]);
}

/// Whoever removes every checkpoint makes all events newer ones.
#[tokio::test]
async fn a_log_with_events_and_without_a_checkpoint_is_a_finding_for_the_key() {
    let Fixture { mut db, .. } = fixture().await;
    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints").await;
    assert_eq!(found(&mut db).await.1, [CheckpointIssue::Missing]);
    assert_eq!(db.run(Ledger::verify_checkpoints()).await.unwrap().later, 7);
}

/// What the last checkpoint says of its end is compared with the events, also without a key.
#[tokio::test]
async fn a_checkpoint_that_ends_elsewhere_than_its_events_is_found() {
    for change in ["highest = highest + 1000", "to_position = to_position + 1000", "to_txid = to_txid + 1000"] {
        let Fixture { mut db, .. } = fixture().await;
        tamper(&mut db, "ledger_checkpoints", &format!("UPDATE ledger_checkpoints SET {change}")).await;
        let report = db.run(Ledger::verify_checkpoints()).await.unwrap();
        let issues: Vec<_> = report.findings.iter().map(|finding| finding.issue.code()).collect();
        assert_eq!(issues, ["bounds"], "{change}");
    }
}

/// A signature over a tree that somebody else made would vouch for their events.
#[tokio::test]
async fn a_signer_continues_only_what_it_may() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    let sign = |error: &Error| matches!(error, Error::Sign { .. });
    db.run(accounts[0].deposit(Deposit(1))).await.unwrap();
    wait_for_open_transactions(&mut db).await;
    let error = db.run(Ledger::checkpoint()).await.unwrap_err();
    assert!(sign(&error) && error.to_string().contains("is signed by `auditor`"), "{error}");
    let new = || HmacKey::new("successor", [8; 32]);
    let error = db.run(Ledger::checkpoint().signed_by(new())).await.unwrap_err();
    assert!(sign(&error) && error.to_string().contains("another key"), "{error}");
    let error = db.run(Ledger::checkpoint().continuing(key())).await.unwrap_err();
    assert!(sign(&error) && error.to_string().contains("no effect"), "{error}");
    let changed = Ledger::checkpoint().signed_by(new()).continuing(key());
    assert_eq!(db.run(changed).await.unwrap().unwrap().number, 2);
    // Both keys together hold, and neither does alone.
    for (keys, faults) in [(vec![key(), new()], 0), (vec![key()], 1), (vec![new()], 1)] {
        let check = keys.into_iter().fold(Ledger::verify_checkpoints(), |check, key| check.signed_by(key));
        assert_eq!(db.run(check).await.unwrap().findings.len(), faults);
    }
    // An attacker changes an event, and the last checkpoint with it.
    db.run(accounts[0].deposit(Deposit(2))).await.unwrap();
    wait_for_open_transactions(&mut db).await;
    let root = literal(&"ab".repeat(32));
    let forge = format!("UPDATE ledger_checkpoints SET size = 8, root = {root}, frontier = {root} WHERE number = 2");
    tamper(&mut db, "ledger_checkpoints", &forge).await;
    let error = db.run(Ledger::checkpoint().signed_by(new())).await.unwrap_err();
    assert!(sign(&error) && error.to_string().contains("checkpoint 2"), "{error}");
}

#[tokio::test]
async fn a_log_that_had_no_signatures_is_signed_from_now_on() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints").await;
    db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    db.run(accounts[0].deposit(Deposit(1))).await.unwrap();
    wait_for_open_transactions(&mut db).await;
    let error = db.run(Ledger::checkpoint().signed_by(key())).await.unwrap_err();
    assert!(matches!(error, Error::Sign { .. }) && error.to_string().contains("not signed"), "{error}");
    let signed = Ledger::checkpoint().signed_by(key()).continuing_unsigned();
    assert_eq!(db.run(signed).await.unwrap().unwrap().number, 2);
}

/// Checks see one state of the log while it is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_writers_finds_nothing() {
    let Fixture { mut db, accounts, .. } = fixture().await;
    let mut writer = db.connect().await;
    let writes = tokio::spawn(async move {
        for amount in 0..200 {
            writer.run(accounts[0].deposit(Deposit(amount))).await.unwrap();
        }
    });
    while !writes.is_finished() {
        assert_eq!(found(&mut db).await.1, []);
    }
    writes.await.unwrap();
}

/// A checkpoint is cut out, and the others are renumbered and joined.
#[tokio::test]
async fn a_cut_and_renumbered_checkpoint_is_found() {
    for cut in 1..=3 {
        let Fixture { mut db, accounts, .. } = fixture().await;
        for amount in 1..=2 {
            db.run(accounts[0].deposit(Deposit(amount))).await.unwrap();
            wait_for_open_transactions(&mut db).await;
            db.run(Ledger::checkpoint().signed_by(key())).await.unwrap().unwrap();
        }
        tamper(&mut db, "ledger_checkpoints", &format!("DELETE FROM ledger_checkpoints WHERE number = {cut}")).await;
        let (_, checkpoints) = found(&mut db).await;
        if cut == 3 {
            // The last one alone is missing only to a copy kept elsewhere.
            assert_eq!(checkpoints, []);
            continue;
        }
        assert!(checkpoints.contains(&CheckpointIssue::Missing), "{checkpoints:?}");
        db.sql(&format!("UPDATE ledger_checkpoints SET number = number - 1 WHERE number > {cut}")).await;
        let (_, checkpoints) = found(&mut db).await;
        assert!(checkpoints.contains(&CheckpointIssue::Disconnected), "{checkpoints:?}");
        assert!(checkpoints.contains(&CheckpointIssue::Signature(SignatureFault::Broken)), "{checkpoints:?}");
    }
}

/// An attacker with `INSERT` alone chooses the transaction or the position of an event.
#[tokio::test]
async fn an_event_outside_of_every_checkpoint_is_named() {
    if Db::DATABASE == Database::Sqlite {
        // The table accepts no number of a transaction, and a position within the tree is an added event.
        let Fixture { mut db, .. } = fixture().await;
        let copied = "INSERT INTO ledger (txid, record_id, revision, at, version, schema, action, payload, id, state, \
                      hash) SELECT 1, record_id, 9, at, version, schema, action, payload, id, state, hash FROM ledger \
                      LIMIT 1";
        db.try_sql(copied).await.unwrap_err();
        return;
    }
    for (txid, names_it) in [("1", true), ("4611686018427387904", true), ("txid_current()", false)] {
        let Fixture { mut db, accounts, .. } = fixture().await;
        let record = uuid(accounts[0].id.uuid());
        db.sql(&format!(
            "INSERT INTO ledger (txid, record_id, revision, at, version, schema, action, payload, id, state, hash) \
             SELECT {txid}, record_id, 4, at, version, schema, action, payload, gen_random_uuid(), state, hash \
             FROM ledger WHERE record_id = {record} AND revision = 3"
        ))
        .await;
        let (_, checkpoints) = found(&mut db).await;
        let outside = checkpoints.iter().filter(|issue| {
            matches!(issue, CheckpointIssue::Outside { schema, revision: 4, record, .. }
                if schema == "accounts" && *record == KeyValue::Uuid(accounts[0].id.uuid()))
        });
        assert_eq!((outside.count(), checkpoints.len()), (usize::from(names_it), usize::from(names_it)), "{txid}: {checkpoints:?}");
    }
}

#[tokio::test]
async fn a_log_without_hashes_says_so() {
    let mut db = Db::new().await;
    let error = db.run(<Item as evented_diesel::Model>::Log::verify_chain()).await.unwrap_err();
    assert!(matches!(error, Error::NotHashed { log: "items_events" }), "{error}");
    let error = db.run(<Item as evented_diesel::Model>::Log::checkpoint()).await.unwrap_err();
    assert!(matches!(error, Error::NotHashed { .. }), "{error}");
}
