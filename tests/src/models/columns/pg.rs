//! Models with PostgreSQL's types: each type in a column that is not null, and in a nullable column.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use diesel::prelude::*;
use evented_diesel::{Evented, Id};
use serde_json::Value;
use std::ops::Bound;

use super::Mood;

/// The tables.
pub const TABLES: &str = include_str!("pg.sql");

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{JsonText, Uid, UtcTime};
    use super::super::MoodType;
    kinds (id) {
        id -> Uid,
        flag -> Bool,
        small -> SmallInt,
        int -> Integer,
        big -> BigInt,
        oid -> Oid,
        single -> Float,
        double -> Double,
        text -> Text,
        varchar -> VarChar,
        letter -> CChar,
        bytes -> Binary,
        date -> Date,
        time -> Time,
        moment -> Timestamp,
        instant -> Timestamptz,
        uuid -> Uuid,
        json -> Json,
        jsonb -> Jsonb,
        number -> Numeric,
        mac -> MacAddr,
        ints -> Array<Integer>,
        texts -> Array<Nullable<Text>>,
        instants -> Array<Timestamptz>,
        documents -> Array<Jsonb>,
        mood -> MoodType,
        own_uuid -> Uid,
        own_time -> UtcTime,
        own_json -> JsonText,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{JsonText, Uid, UtcTime};
    use super::super::MoodType;
    nullable_kinds (id) {
        id -> Uid,
        flag -> Nullable<Bool>,
        small -> Nullable<SmallInt>,
        int -> Nullable<Integer>,
        big -> Nullable<BigInt>,
        oid -> Nullable<Oid>,
        single -> Nullable<Float>,
        double -> Nullable<Double>,
        text -> Nullable<Text>,
        varchar -> Nullable<VarChar>,
        letter -> Nullable<CChar>,
        bytes -> Nullable<Binary>,
        date -> Nullable<Date>,
        time -> Nullable<Time>,
        moment -> Nullable<Timestamp>,
        instant -> Nullable<Timestamptz>,
        uuid -> Nullable<Uuid>,
        json -> Nullable<Json>,
        jsonb -> Nullable<Jsonb>,
        number -> Nullable<Numeric>,
        mac -> Nullable<MacAddr>,
        ints -> Nullable<Array<Integer>>,
        texts -> Nullable<Array<Nullable<Text>>>,
        instants -> Nullable<Array<Timestamptz>>,
        documents -> Nullable<Array<Jsonb>>,
        mood -> Nullable<MoodType>,
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
    pub oid: u32,
    pub single: f32,
    pub double: f64,
    pub text: String,
    pub varchar: String,
    pub letter: u8,
    pub bytes: Vec<u8>,
    pub date: NaiveDate,
    pub time: NaiveTime,
    pub moment: NaiveDateTime,
    pub instant: DateTime<Utc>,
    pub uuid: uuid::Uuid,
    pub json: Value,
    pub jsonb: Value,
    pub number: BigDecimal,
    pub mac: [u8; 6],
    pub ints: Vec<i32>,
    pub texts: Vec<Option<String>>,
    pub instants: Vec<DateTime<Utc>>,
    pub documents: Vec<Value>,
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
    pub oid: Option<u32>,
    pub single: Option<f32>,
    pub double: Option<f64>,
    pub text: Option<String>,
    pub varchar: Option<String>,
    pub letter: Option<u8>,
    pub bytes: Option<Vec<u8>>,
    pub date: Option<NaiveDate>,
    pub time: Option<NaiveTime>,
    pub moment: Option<NaiveDateTime>,
    pub instant: Option<DateTime<Utc>>,
    pub uuid: Option<uuid::Uuid>,
    pub json: Option<Value>,
    pub jsonb: Option<Value>,
    pub number: Option<BigDecimal>,
    pub mac: Option<[u8; 6]>,
    pub ints: Option<Vec<i32>>,
    pub texts: Option<Vec<Option<String>>>,
    pub instants: Option<Vec<DateTime<Utc>>>,
    pub documents: Option<Vec<Value>>,
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
        seconds -> Timestamp,
        millis -> Timestamptz,
        code -> Bpchar,
        span -> Int4range,
        single -> Double,
        times -> Array<Nullable<Timestamptz>>,
        moments -> Nullable<Array<Timestamp>>,
    }
}

/// Columns that store less than their types.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = lossy)]
pub struct Lossy {
    pub id: Id<Lossy>,
    /// Two decimal digits.
    pub price: BigDecimal,
    /// Whole seconds.
    pub seconds: NaiveDateTime,
    /// Milliseconds.
    pub millis: DateTime<Utc>,
    /// Padded to five characters.
    pub code: String,
    /// Stored as `[from, to)`, whatever the form of the input.
    pub span: (Bound<i32>, Bound<i32>),
    /// Rounded by a trigger of the table; a view would do the same.
    pub single: f64,
    /// Microseconds, like every time.
    pub times: Vec<Option<DateTime<Utc>>>,
    pub moments: Option<Vec<NaiveDateTime>>,
}
