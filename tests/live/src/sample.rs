//! A model with a field of each type that filters and orders compare.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_live as live;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{Uid, UtcTime};
    samples (id) {
        id -> Integer,
        small -> Nullable<SmallInt>,
        int -> Nullable<Integer>,
        big -> Nullable<BigInt>,
        single -> Nullable<Float>,
        double -> Nullable<Double>,
        text -> Nullable<Text>,
        bytes -> Nullable<Binary>,
        flag -> Nullable<Bool>,
        date -> Nullable<Date>,
        time -> Nullable<Time>,
        local -> Nullable<Timestamp>,
        at -> Nullable<UtcTime>,
        uid -> Nullable<Uid>,
        decimal -> Nullable<Numeric>,
        state -> Nullable<Text>,
    }
}

#[derive(Evented, Clone, Debug, PartialEq, Serialize)]
#[diesel(table_name = samples)]
#[evented(live)]
pub struct Sample {
    #[evented(given)]
    pub id: i32,
    pub small: Option<i16>,
    pub int: Option<i32>,
    pub big: Option<i64>,
    pub single: Option<f32>,
    pub double: Option<f64>,
    pub text: Option<String>,
    pub bytes: Option<Vec<u8>>,
    pub flag: Option<bool>,
    pub date: Option<NaiveDate>,
    pub time: Option<NaiveTime>,
    pub local: Option<NaiveDateTime>,
    pub at: Option<DateTime<Utc>>,
    pub uid: Option<Id<Sample>>,
    pub decimal: Option<BigDecimal>,
    pub state: Option<State>,
}

/// An enum of a user, which is stored as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub enum State {
    Open,
    Closed,
}

impl live::Value for State {}

impl<DB: diesel::backend::Backend> ToSql<Text, DB> for State
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        let text = match self {
            Self::Open => "open",
            Self::Closed => "closed",
        };
        text.to_sql(out)
    }
}

impl<DB: diesel::backend::Backend> FromSql<Text, DB> for State
where
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        match String::from_sql(bytes)?.as_str() {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            other => Err(format!("no state: {other}").into()),
        }
    }
}

/// A UUID with these bytes in front.
#[must_use]
pub fn uid(first: u8, second: u8) -> Id<Sample> {
    let mut bytes = [7; 16];
    (bytes[0], bytes[1]) = (first, second);
    Id::new(Uuid::from_bytes(bytes))
}

#[must_use]
pub(crate) fn table(database: Database) -> &'static str {
    match database {
        Database::Postgres => {
            "CREATE TABLE samples (id INTEGER PRIMARY KEY, small SMALLINT, int INTEGER, big BIGINT, single REAL,
                 double DOUBLE PRECISION, text TEXT, bytes BYTEA, flag BOOLEAN, date DATE, time TIME, local TIMESTAMP,
                 at TIMESTAMPTZ, uid UUID, decimal NUMERIC, state TEXT);"
        }
        Database::Sqlite => {
            "CREATE TABLE samples (id INTEGER PRIMARY KEY, small SMALLINT, int INTEGER, big BIGINT, single REAL,
                 double DOUBLE, text TEXT, bytes BLOB, flag BOOLEAN, date DATE, time TIME, local TIMESTAMP, at TEXT,
                 uid BLOB, decimal NUMERIC, state TEXT);"
        }
    }
}
