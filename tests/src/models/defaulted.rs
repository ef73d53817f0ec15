//! Models some of whose columns the database fills.

use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::{Evented, Id, ValidationErrors};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    alerts (id) {
        id -> Uid,
        label -> Text,
        notify -> Bool,
        #[sql_name = "lev"]
        level -> Integer,
        quota -> Nullable<Integer>,
        source -> Text,
    }
}
diesel::table! {
    marks (id) {
        id -> Integer,
        rank -> Integer,
    }
}
diesel::table! {
    options (name) {
        name -> Text,
        value -> Text,
        revision -> BigInt,
    }
}

/// A key of the library's, and every kind of default.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = alerts)]
#[evented(check = Alert::valid)]
pub struct Alert {
    pub id: Id<Alert>,
    pub label: String,
    #[evented(default)]
    pub notify: bool,
    #[evented(default)]
    pub level: i32,
    #[evented(default)]
    pub quota: Option<i32>,
    #[evented(default = SOURCE.to_owned())]
    pub source: String,
}

const SOURCE: &str = "web";

impl Alert {
    fn valid(&self) -> Result<(), ValidationErrors> {
        if self.level < 9 { Ok(()) } else { Err(ValidationErrors::field("level", "is too high")) }
    }
}

/// A key of the database's, and no column that the caller must give.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = marks)]
pub struct Mark {
    pub id: i32,
    #[evented(default)]
    pub rank: i32,
}

/// A key of the caller's, and a revision.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = options, primary_key(name))]
pub struct Choice {
    pub name: String,
    #[evented(default)]
    pub value: String,
    #[evented(revision)]
    pub revision: i64,
}

/// The tables and their logs.
#[must_use]
pub fn tables(database: Database) -> String {
    let (id, key) = match database {
        Database::Postgres => ("UUID", "SERIAL PRIMARY KEY"),
        Database::Sqlite => ("BLOB", "INTEGER PRIMARY KEY"),
    };
    let logs = Migrations::new().log::<Alert>().log::<Mark>().log::<Choice>().up_sql(database);
    format!(
        "CREATE TABLE alerts (id {id} PRIMARY KEY, label TEXT NOT NULL UNIQUE, notify BOOLEAN NOT NULL DEFAULT true,
             lev INTEGER NOT NULL DEFAULT 5, quota INTEGER DEFAULT 100, source TEXT NOT NULL);
         CREATE TABLE marks (id {key}, rank INTEGER NOT NULL DEFAULT 7);
         CREATE TABLE options (name TEXT PRIMARY KEY, value TEXT NOT NULL DEFAULT 'off', revision BIGINT NOT NULL);
         {logs}"
    )
}
