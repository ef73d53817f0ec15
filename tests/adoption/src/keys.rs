//! Keys of several columns, of every type, given by the caller, and of types of their own.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{BigInt, Integer};
use evented_adoption_schema::{
    blobs, flags, levels, members, memos, settings, shop_limits, shop_users, tokens,
};
use evented_diesel::{Action, Context, EventLog, Evented};
use serde::{Deserialize, Serialize};

/// A join table with a key of two columns.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = shop_users, primary_key(shop_id, user_id))]
#[evented(actions(Promote), scopes(shop = shop_id, user = user_id))]
pub struct ShopUser {
    pub shop_id: i32,
    pub user_id: i32,
    pub role: String,
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Promote;

impl Action<ShopUser> for Promote {
    fn apply(&self, it: &mut ShopUser, _: &Context) {
        it.role = "admin".into();
    }
}

/// A key of four columns, of the types that logs have no form for.
#[derive(Evented, Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = settings, primary_key(scope, day, active, digest))]
pub struct Setting {
    pub scope: String,
    pub day: i16,
    pub active: bool,
    pub digest: Vec<u8>,
    pub value: i32,
}

/// A one-to-one table: its key is that of another table.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = shop_limits, primary_key(shop_id))]
pub struct ShopLimit {
    #[evented(given)]
    pub shop_id: i32,
    pub most: i32,
}

/// A small integer that the database makes.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = levels)]
pub struct Level {
    pub id: i16,
    pub name: String,
}

#[derive(Evented, Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = flags)]
pub struct Flag {
    #[evented(id)]
    pub on: bool,
    pub name: String,
}

#[derive(Evented, Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = blobs)]
pub struct Blob {
    #[evented(id)]
    pub hash: Vec<u8>,
    pub name: String,
}

/// A newtype that refuses some values.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = Integer)]
pub struct NoteId(i32);

impl TryFrom<i32> for NoteId {
    type Error = String;
    fn try_from(id: i32) -> Result<Self, String> {
        if id < 0 { Err(format!("{id} is negative")) } else { Ok(Self(id)) }
    }
}
impl From<NoteId> for i32 {
    fn from(id: NoteId) -> Self {
        id.0
    }
}
impl<DB: Backend> FromSql<Integer, DB> for NoteId
where
    i32: FromSql<Integer, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::try_from(i32::from_sql(bytes)?)?)
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = memos)]
pub struct Note {
    #[evented(key = i32)]
    pub id: NoteId,
    pub text: String,
}

/// A newtype as serde and Diesel see it, without conversions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenId(i64);

impl<DB: Backend> FromSql<BigInt, DB> for TokenId
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(bytes).map(Self)
    }
}
impl<DB: Backend> ToSql<BigInt, DB> for TokenId
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = tokens)]
pub struct Token {
    #[evented(key = i64)]
    pub id: TokenId,
    pub name: String,
}

/// A log that holds keys of every kind.
#[derive(Debug, EventLog)]
#[event_log(table = "mixed_events", key = String, hashed, models(Member, Limit))]
pub struct MixedEvents;

/// A key of two columns in a shared, hashed log.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = members, primary_key(team_id, person_id))]
#[evented(log(shared = MixedEvents))]
pub struct Member {
    pub team_id: i32,
    pub person_id: String,
    pub rank: i32,
}

/// An integer key in a log of text keys.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = shop_limits, primary_key(shop_id))]
#[evented(log(shared = MixedEvents), schema = "limits", names(insert = InsertLimit, update = UpdateLimit))]
pub struct Limit {
    #[evented(given)]
    pub shop_id: i32,
    pub most: i32,
}
