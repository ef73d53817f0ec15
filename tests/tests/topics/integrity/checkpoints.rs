//! Tests checkpoints: roots over parts of a log.

use evented_diesel::verify::{LogChecks, Verdict};
use evented_diesel::migrations::Database;
use evented_diesel::Error;
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
    assert_eq!((first.number, first.events, second.number, second.events), (1, 1, 2, 3));
    assert_eq!(second.after, first.to);
    assert_eq!(db.run(Ledger::checkpoints()).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(db.run(Ledger::verify_checkpoints()).await.unwrap(), []);
    assert_eq!(db.run(Ledger::verify_checkpoint(&first)).await.unwrap(), Verdict::Holds);

    tamper(&mut db, "ledger_checkpoints", "DELETE FROM ledger_checkpoints WHERE number = 1").await;
    let broken = db.run(Ledger::verify_checkpoints()).await.unwrap();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].1, Verdict::Disconnected);
}

#[tokio::test]
async fn a_checkpoint_with_a_key_cannot_be_forged_without_it() {
    let mut db = Db::new().await;
    create(&mut db).await;
    account(&mut db).await;
    wait_for_open_transactions(&mut db).await;
    let checkpoint = db.run(Ledger::checkpoint().keyed([7; 32])).await.unwrap().unwrap();
    assert!(checkpoint.keyed);
    let error = db.run(Ledger::verify_checkpoints()).await.unwrap_err();
    assert!(matches!(error, Error::CheckpointKey { number: 1, .. }), "{error}");
    assert_eq!(db.run(Ledger::verify_checkpoints().keyed([7; 32])).await.unwrap(), []);
    let wrong = db.run(Ledger::verify_checkpoint(&checkpoint).keyed([8; 32])).await.unwrap();
    assert_eq!(wrong, Verdict::Changed);
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
        assert_eq!((next.number, next.events, next.floor), (number, 1, 1), "the new events, and none of the old ones");
        assert_eq!(db.run(Ledger::verify_checkpoint(&next)).await.unwrap(), Verdict::Holds);
    }
    // This test changed the transactions of the first checkpoint; the others continue from there.
    let broken = db.run(Ledger::verify_checkpoints()).await.unwrap();
    assert_eq!(broken.iter().map(|(it, verdict)| (it.number, verdict.clone())).collect::<Vec<_>>(), [(1, Verdict::Changed)]);
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
    assert_eq!(checkpoint.events, 2, "neither the open one nor what came after it began");
    other.commit().await;
    wait_for_open_transactions(&mut db).await;
    let next = db.run(Ledger::checkpoint()).await.unwrap().unwrap();
    assert_eq!(next.events, 2);
    assert_eq!(db.run(Ledger::verify_checkpoints()).await.unwrap(), []);
}
