//! A hashed log of two models, one of which has a table.

use crate::db::Setting;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::{Action, Context, EventLog, Evented, Id};
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    accounts (id) {
        id -> Uid,
        owner -> Text,
        balance -> Integer,
    }
}

#[derive(EventLog, Debug)]
#[event_log(table = "ledger", models(Account, Memo(schema = "memos")), hashed)]
pub struct Ledger;

#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = accounts)]
#[evented(log(shared = Ledger), actions(Deposit))]
pub struct Account {
    pub id: Id<Account>,
    pub owner: String,
    pub balance: i32,
}

/// Adds to the balance.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Deposit(pub i32);

impl Action<Account> for Deposit {
    fn apply(&self, account: &mut Account, _: &Context) {
        account.balance += self.0;
    }
}

#[derive(Evented, Clone, Debug, PartialEq)]
#[evented(log(shared = Ledger, only), schema = "memos")]
pub struct Memo {
    pub id: Id<Memo>,
    pub text: String,
}

/// Waits until every transaction that wrote to the ledger is older than the oldest open transaction. Open transactions
/// of other tests on the same server count too.
pub async fn wait_for_open_transactions<S: Setting>(db: &mut S) {
    wait_for_open_transactions_beside(db, "ledger").await;
}

/// Like [`wait_for_open_transactions`], for any log: a subscriber that begins now gets none of its events then.
pub async fn wait_for_open_transactions_beside<S: Setting>(db: &mut S, log: &str) {
    if <S::Backend as evented_diesel::spi::SqlTypes>::DATABASE == Database::Sqlite {
        return;
    }
    let open =
        format!("SELECT count(*) FROM {log} WHERE txid >= txid_snapshot_xmin(txid_current_snapshot())");
    while db.number(&open).await > 0 {
        tokio::task::yield_now().await;
    }
}

/// Creates the table and the log.
pub async fn create<S: Setting>(db: &mut S) {
    let database = <S::Backend as evented_diesel::spi::SqlTypes>::DATABASE;
    let key = match database {
        Database::Postgres => "UUID",
        Database::Sqlite => "BLOB",
    };
    db.sql(&format!(
        "CREATE TABLE accounts (id {key} PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL)"
    ))
    .await;
    db.sql(&Migrations::new().event_log::<Ledger>().up_sql(database)).await;
}
