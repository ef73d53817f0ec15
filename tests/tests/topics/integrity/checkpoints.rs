//! Tests checkpoints: roots of the tree over a log, and proofs of what it contains.

use evented_diesel::{Error, EventedDsl as _};
use evented_diesel::checkpoints::{CheckpointIssue, Checkpointed, EventProof, HmacKey, LogProof};
use evented_diesel::migrations::Database;
use evented_tests::raw::tamper;

use super::Db;
use evented_tests::models::ledger::{Account, Deposit, Ledger, NewAccount, create, wait_for_open_transactions};

async fn account(db: &mut Db) -> Account {
    db.run(Account::insert(NewAccount { owner: "Ada".into(), balance: 0 })).await.unwrap()
}

#[tokio::test]
async fn each_checkpoint_begins_where_the_last_one_ends() {
    let mut db = Db::new().await;
    create(&mut db).await;
    assert_eq!(db.run(Ledger::checkpoint()).await.unwrap(), None, "there is nothing yet");
    let account = account(&mut db).await;
    wait_for_open_transactions(&mut db).await;
    let first = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    assert_eq!(db.run(Ledger::checkpoint()).await.unwrap(), None, "there is nothing since");
    for amount in 1..=3 {
        db.run(account.deposit(Deposit(amount))).await.unwrap();
    }
    wait_for_open_transactions(&mut db).await;
    let second = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    assert_eq!((first.number, first.size, second.number, second.size), (1, 1, 2, 4));
    assert_eq!((second.after, second.previous), (first.to, first.digest()));
    assert_eq!(db.run(Ledger::checkpoints()).await.unwrap(), [first.clone(), second.clone()]);
    let report = db.run(Ledger::verify_checkpoints().against([first])).await.unwrap();
    assert_eq!((report.checkpoints, report.events, report.later, report.findings), (2, 4, 0, vec![]));
    db.run(account.deposit(Deposit(4))).await.unwrap();
    assert_eq!(db.run(Ledger::verify_checkpoints()).await.unwrap().later, 1);

    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints WHERE number = 1").await;
    let broken = db.run(Ledger::verify_checkpoints()).await.unwrap();
    let issues: Vec<_> = broken.findings.iter().map(|finding| (finding.checkpoint, &finding.issue)).collect();
    assert_eq!(issues[..2], [(Some(1), &CheckpointIssue::Missing), (Some(2), &CheckpointIssue::Disconnected)]);
}

#[tokio::test]
async fn the_next_checkpoint_is_not_made_on_a_broken_one() {
    let mut db = Db::new().await;
    create(&mut db).await;
    let account = account(&mut db).await;
    wait_for_open_transactions(&mut db).await;
    db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    db.run(account.deposit(Deposit(1))).await.unwrap();
    tamper(&mut db, "ledger_checkpoints", "UPDATE ledger_checkpoints SET root = previous").await;
    let error = db.run(Ledger::checkpoint()).await.unwrap_err();
    assert!(matches!(error, Error::BrokenCheckpoint { number: 1, .. }), "{error}");
}

#[tokio::test]
async fn each_event_and_each_checkpoint_is_proved() {
    let mut db = Db::new().await;
    create(&mut db).await;
    let key = HmacKey::new("auditor", [7; 32]);
    let account = account(&mut db).await;
    let mut offsets = Vec::new();
    // More than one block of stored nodes, with checkpoints within blocks and at their ends.
    for until in [1, 5, 255, 256, 300, 520] {
        while offsets.len() < until {
            let amount = i32::try_from(offsets.len()).unwrap();
            offsets.push(db.run(account.deposit(Deposit(amount)).recorded()).await.unwrap().offset());
        }
        wait_for_open_transactions(&mut db).await;
        db.run(Ledger::checkpoint().signed_by(key.clone())).await.unwrap().unwrap();
    }
    for index in [0, 1, 100, 254, 255, 256, 511, 512, 519] {
        let proof = db.run(Ledger::prove_inclusion(offsets[index])).await.unwrap();
        let json = serde_json::to_string(&proof).unwrap();
        let proof: EventProof = serde_json::from_str(&json).unwrap();
        assert!(proof.verify() && proof.checkpoint.check_signature(&key).is_ok(), "{index}");
        assert_eq!((proof.event.position, proof.event.txid), (offsets[index].position, offsets[index].txid));
        let mut forged = proof.clone();
        forged.event.position += 1;
        assert!(!forged.verify());
    }
    for from in 1..=6 {
        let proof = db.run(Ledger::prove_consistency(from)).await.unwrap();
        let proof: LogProof = serde_json::from_str(&serde_json::to_string(&proof).unwrap()).unwrap();
        assert!(proof.verify(), "{from}");
        let mut forged = proof.clone();
        forged.from.size += 1;
        assert!(!forged.verify(), "{from}");
        let mut forged = proof.clone();
        forged.to.log = "another".into();
        assert!(!forged.verify(), "{from}");
    }
    let later = db.run(account.deposit(Deposit(0)).recorded()).await.unwrap();
    let error = db.run(Ledger::prove_inclusion(later.offset())).await.unwrap_err();
    assert!(matches!(error, Error::Unprovable { .. }), "{error}");
    // A log that was changed proves nothing.
    let last = offsets[514].position;
    tamper(&mut db, "ledger", &format!("DELETE FROM ledger WHERE position = {last}")).await;
    let error = db.run(Ledger::prove_inclusion(offsets[512])).await.unwrap_err();
    assert!(matches!(error, Error::Unprovable { .. }), "{error}");
}

#[tokio::test]
async fn after_a_restore_checkpoints_continue_although_transaction_numbers_restart() {
    if Db::DATABASE == Database::Sqlite {
        // SQLite does not number transactions.
        return;
    }
    let mut db = Db::new().await;
    create(&mut db).await;
    let account = account(&mut db).await;
    wait_for_open_transactions(&mut db).await;
    db.run(Ledger::checkpoint()).await.unwrap();
    // As on a server with much higher transaction numbers.
    tamper(&mut db, "ledger", "UPDATE ledger SET txid = txid + 1000000000").await;
    tamper(&mut db, "ledger_checkpoints", "UPDATE ledger_checkpoints SET to_txid = to_txid + 1000000000").await;
    for (number, amount) in [(2, 1), (3, 2)] {
        db.run(account.deposit(Deposit(amount))).await.unwrap();
        while db.number("SELECT count(*) FROM ledger WHERE txid < 1000000000 AND txid >= txid_snapshot_xmin(txid_current_snapshot())").await > 0 {}
        let next = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
        assert_eq!((next.number, next.floor), (number, 1), "the new events, and none of the old ones");
        assert_eq!(next.size, u64::try_from(number).unwrap());
        let proof = db.run(Ledger::prove_consistency(number)).await.unwrap();
        assert!(proof.verify());
    }
    let report = db.run(Ledger::verify_checkpoints()).await.unwrap();
    // This test changed the transaction of the first event.
    let issues: Vec<_> = report.findings.iter().map(|it| (it.checkpoint, it.issue.code())).collect();
    assert_eq!(issues, [(Some(1), "changed")]);
}

/// Events that no checkpoint had covered before the restore are covered first, then the new ones.
#[tokio::test]
async fn after_a_restore_no_event_stays_uncovered() {
    if Db::DATABASE == Database::Sqlite {
        return;
    }
    let mut db = Db::new().await;
    create(&mut db).await;
    let first = account(&mut db).await;
    wait_for_open_transactions(&mut db).await;
    db.run(Ledger::checkpoint()).await.unwrap();
    db.run(first.deposit(Deposit(1))).await.unwrap();
    tamper(&mut db, "ledger", "UPDATE ledger SET txid = txid + 1000000000").await;
    tamper(&mut db, "ledger_checkpoints", "UPDATE ledger_checkpoints SET to_txid = to_txid + 1000000000").await;
    account(&mut db).await;
    let outside = async |db: &mut Db| {
        let report = db.run(Ledger::verify_checkpoints()).await.unwrap();
        let outside = report.findings.iter().filter(|finding| finding.issue.code() == "outside").count();
        (outside, report.later)
    };
    assert_eq!(outside(&mut db).await, (0, 2));
    while db.number("SELECT count(*) FROM ledger WHERE txid < 1000000000 AND txid >= txid_snapshot_xmin(txid_current_snapshot())").await > 0 {}
    for (number, floor, later) in [(2, 0, 1), (3, 2, 0)] {
        let next = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
        assert_eq!((next.number, next.size, next.floor), (number, u64::try_from(number).unwrap(), floor));
        assert_eq!(outside(&mut db).await, (0, later));
    }
}

#[tokio::test]
async fn what_an_open_transaction_writes_is_in_a_later_checkpoint() {
    let mut db = Db::new().await;
    create(&mut db).await;
    let (first, second) = (account(&mut db).await, account(&mut db).await);
    if Db::DATABASE == Database::Sqlite {
        // SQLite has one writer at a time, and no other open transaction.
        return;
    }
    wait_for_open_transactions(&mut db).await;
    let mut other = db.connect().await;
    other.begin().await;
    other.run(first.deposit(Deposit(1))).await.unwrap();
    db.run(second.deposit(Deposit(1))).await.unwrap();
    let checkpoint = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    assert_eq!(checkpoint.size, 2, "neither the open one nor what came after it began");
    other.commit().await;
    wait_for_open_transactions(&mut db).await;
    let next = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    assert_eq!(next.size, 4);
    assert_eq!(db.run(Ledger::verify_checkpoints()).await.unwrap().findings, []);
}
