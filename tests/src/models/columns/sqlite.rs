//! Models with SQLite's types: each type in a column that is not null, and in a nullable column.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use diesel::prelude::*;
use evented_diesel::{Evented, Id};
use serde_json::Value;

use super::Mood;

/// The tables.
pub const TABLES: &str = include_str!("sqlite.sql");

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{JsonText, Uid, UtcTime};
    kinds (id) {
        id -> Uid,
        flag -> Bool,
        small -> SmallInt,
        int -> Integer,
        big -> BigInt,
        single -> Float,
        double -> Double,
        text -> Text,
        bytes -> Binary,
        date -> Date,
        time -> Time,
        moment -> Timestamp,
        instant -> TimestamptzSqlite,
        json -> Json,
        jsonb -> Jsonb,
        mood -> Text,
        own_uuid -> Uid,
        own_time -> UtcTime,
        own_json -> JsonText,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{JsonText, Uid, UtcTime};
    nullable_kinds (id) {
        id -> Uid,
        flag -> Nullable<Bool>,
        small -> Nullable<SmallInt>,
        int -> Nullable<Integer>,
        big -> Nullable<BigInt>,
        single -> Nullable<Float>,
        double -> Nullable<Double>,
        text -> Nullable<Text>,
        bytes -> Nullable<Binary>,
        date -> Nullable<Date>,
        time -> Nullable<Time>,
        moment -> Nullable<Timestamp>,
        instant -> Nullable<TimestamptzSqlite>,
        json -> Nullable<Json>,
        jsonb -> Nullable<Jsonb>,
        mood -> Nullable<Text>,
        own_uuid -> Nullable<Uid>,
        own_time -> Nullable<UtcTime>,
        own_json -> Nullable<JsonText>,
    }
}

/// A column of every type.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = kinds)]
pub struct Kinds {
    pub id: Id<Kinds>,
    pub flag: bool,
    pub small: i16,
    pub int: i32,
    pub big: i64,
    pub single: f32,
    pub double: f64,
    pub text: String,
    pub bytes: Vec<u8>,
    pub date: NaiveDate,
    pub time: NaiveTime,
    pub moment: NaiveDateTime,
    pub instant: DateTime<Utc>,
    pub json: Value,
    pub jsonb: Value,
    pub mood: Mood,
    pub own_uuid: uuid::Uuid,
    pub own_time: DateTime<Utc>,
    pub own_json: Value,
}

/// A nullable column of every type.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = nullable_kinds)]
pub struct NullableKinds {
    pub id: Id<NullableKinds>,
    pub flag: Option<bool>,
    pub small: Option<i16>,
    pub int: Option<i32>,
    pub big: Option<i64>,
    pub single: Option<f32>,
    pub double: Option<f64>,
    pub text: Option<String>,
    pub bytes: Option<Vec<u8>>,
    pub date: Option<NaiveDate>,
    pub time: Option<NaiveTime>,
    pub moment: Option<NaiveDateTime>,
    pub instant: Option<DateTime<Utc>>,
    pub json: Option<Value>,
    pub jsonb: Option<Value>,
    pub mood: Option<Mood>,
    pub own_uuid: Option<uuid::Uuid>,
    pub own_time: Option<DateTime<Utc>>,
    pub own_json: Option<Value>,
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    lossy (id) {
        id -> Uid,
        price -> Numeric,
        digits -> Text,
        single -> Double,
    }
}

/// Columns that store less than their types.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = lossy)]
pub struct Lossy {
    pub id: Id<Lossy>,
    /// Stored as a float.
    pub price: BigDecimal,
    /// Stored as a number, if it looks like one.
    pub digits: String,
    /// Rounded by a trigger of the table.
    pub single: f64,
}
