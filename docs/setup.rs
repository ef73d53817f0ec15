// What the blocks of the book share: the table, the model and the actions of "Getting started", and a connection.
// `tests/src/book.rs` includes this file; the blocks import it by a hidden line.

pub use chrono::{DateTime, TimeDelta, Utc};
pub use diesel::connection::SimpleConnection;
pub use diesel::prelude::*;
pub use evented_diesel::migrations::{Database, Migrations};
pub use evented_diesel::prelude::*;
pub use evented_diesel::{Command, Drift, Error, Event, Fields, IntoRecordRef, KeyValue, Model, RawPayload, State};
pub use serde::{Deserialize, Serialize};
pub use uuid::Uuid;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{Uid, UtcTime};
    items (id) {
        id -> Uid,
        name -> Text,
        price -> Integer,
        note -> Nullable<Text>,
        archived_at -> Nullable<UtcTime>,
        inserted_at -> UtcTime,
        updated_at -> UtcTime,
    }
}

/// An item in a shop.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = items)]
#[evented(live, actions(Archive, Restore), check = Item::valid)]
pub struct Item {
    pub id: Id<Item>,
    pub name: String,
    pub price: i32,
    pub note: Option<String>,
    #[evented(skip_insert)]
    pub archived_at: Option<DateTime<Utc>>,
    #[evented(inserted_at)]
    pub inserted_at: DateTime<Utc>,
    #[evented(updated_at)]
    pub updated_at: DateTime<Utc>,
}

impl Item {
    fn valid(&self) -> Result<(), ValidationErrors> {
        let mut errors = ValidationErrors::none();
        if self.name.is_empty() {
            errors.add("name", "is empty");
        }
        if self.price < 0 {
            errors.add("price", "is negative");
        }
        errors.into_result()
    }
}

/// Archives the item. `Restore` undoes it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Archive {
    pub reason: String,
}

impl Action<Item> for Archive {
    fn check(&self, item: &Item, _: &Context) -> Result<(), ValidationErrors> {
        if item.archived_at.is_some() {
            return Err(ValidationErrors::field("archived_at", "is already archived"));
        }
        Ok(())
    }
    fn apply(&self, item: &mut Item, cx: &Context) {
        item.archived_at = Some(cx.at);
    }
}

/// Restores an archived item.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Restore;

impl Action<Item> for Restore {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.archived_at = None;
    }
}

/// The input of a new lamp.
pub fn lamp() -> NewItem {
    NewItem { name: "Lamp".into(), price: 30, note: None }
}

/// SQLite in memory, with the table of the items and its log.
pub fn connect() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").expect("SQLite in memory");
    conn.batch_execute(
        "CREATE TABLE items (
            id BLOB PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, note TEXT,
            archived_at TEXT, inserted_at TEXT NOT NULL, updated_at TEXT NOT NULL
        )",
    )
    .expect("the table");
    Migrations::of::<Item>().run(&mut conn).expect("its log");
    conn
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    accounts (id) {
        id -> Uid,
        owner -> Text,
        balance -> Integer,
    }
}

/// The log of "Hashed logs".
#[derive(EventLog, Debug)]
#[event_log(table = "ledger", models(Account), hashed)]
pub struct Ledger;

/// A bank account.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = accounts)]
#[evented(log(shared = Ledger), actions(Deposit))]
pub struct Account {
    pub id: Id<Account>,
    pub owner: String,
    pub balance: i32,
}

/// Adds to the balance.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Deposit(pub i32);

impl Action<Account> for Deposit {
    fn apply(&self, account: &mut Account, _: &Context) {
        account.balance += self.0;
    }
}

/// SQLite in memory, with the table of the accounts and the ledger.
pub fn bank() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").expect("SQLite in memory");
    conn.batch_execute("CREATE TABLE accounts (id BLOB PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL)")
        .expect("the table");
    Migrations::new().event_log::<Ledger>().run(&mut conn).expect("its log");
    conn
}

/// Changes a log by hand. The owner of the tables can drop the triggers that keep them append-only.
pub fn tamper(conn: &mut SqliteConnection, log: &str, sql: &str) {
    let drop = format!("DROP TRIGGER IF EXISTS {log}_no_update; DROP TRIGGER IF EXISTS {log}_no_delete");
    conn.batch_execute(&drop).expect("the triggers");
    conn.batch_execute(sql).expect("the change");
}
