//! A hashed log of two models, one with a table.

use diesel::prelude::*;
use evented_diesel::migrations::{Flavour, Migrations};
use evented_diesel::{Action, Context, EventLog, Evented, Id};
use evented_tests::db::Setting;
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
#[event_log(table = "ledger", schemas(Account, Memo as "memos"), hashed)]
pub struct Ledger;

#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = accounts)]
#[evented(log = Ledger, actions(Deposit))]
pub(crate) struct Account {
    pub(crate) id: Id<Account>,
    pub(crate) owner: String,
    pub(crate) balance: i32,
}

/// Adds to the balance.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Deposit(pub(crate) i32);

impl Action<Account> for Deposit {
    fn apply(&self, account: &mut Account, _: &Context) {
        account.balance += self.0;
    }
}

#[derive(Evented, Clone, Debug, PartialEq)]
#[evented(log = Ledger, log_only, schema = "memos")]
pub(crate) struct Memo {
    pub(crate) id: Id<Memo>,
    pub(crate) text: String,
}

/// Waits until every transaction that wrote into the ledger lies behind the oldest one that is open: those of other tests
/// on the same server count as well.
pub(crate) async fn settled<S: Setting>(db: &mut S) {
    if <S::Backend as evented_diesel::Dialect>::FLAVOUR == Flavour::Sqlite {
        return;
    }
    let open = "SELECT count(*) FROM ledger WHERE txid >= txid_snapshot_xmin(txid_current_snapshot())";
    while db.number(open).await > 0 {
        tokio::task::yield_now().await;
    }
}

/// The table and the log.
pub(crate) async fn create<S: Setting>(db: &mut S) {
    let flavour = <S::Backend as evented_diesel::Dialect>::FLAVOUR;
    let key = match flavour {
        Flavour::Postgres => "UUID",
        Flavour::Sqlite => "BLOB",
    };
    db.sql(&format!(
        "CREATE TABLE accounts (id {key} PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL)"
    ))
    .await;
    db.sql(&Migrations::new().event_log::<Ledger>().up_sql(flavour)).await;
}
