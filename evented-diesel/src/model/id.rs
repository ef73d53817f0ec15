//! Defines `Id<Model>`, a key that cannot be confused with the key of another model.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Binary, Text};
use evented_core::{Evented, KeyValue, live};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::domain::IntoKey;
use crate::sql_types::Uid;

/// The key of a record of type `M`: a UUID that cannot be confused with the key of another model.
///
/// It works on every supported database, including those without a UUID type. Its column is a [`Uid`], or what
/// `diesel print-schema` prints: `Uuid` on PostgreSQL, `Binary` (16 bytes) or `Text` (lower case, with hyphens) on SQLite.
#[derive(AsExpression, FromSqlRow)]
#[diesel(sql_type = Uid)]
#[diesel(sql_type = Binary)]
#[diesel(sql_type = Text)]
#[cfg_attr(feature = "__pg", diesel(sql_type = diesel::sql_types::Uuid))]
pub struct Id<M: 'static> {
    uuid: Uuid,
    // With `fn() -> M`, an id is `Send`, `Sync` and free of drop checks for every `M`.
    model: PhantomData<fn() -> M>,
}

impl<M: 'static> Id<M> {
    /// Wraps a UUID as an id.
    #[must_use]
    pub const fn new(uuid: Uuid) -> Self {
        Self { uuid, model: PhantomData }
    }

    /// Returns the UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<M: 'static> Clone for Id<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M: 'static> Copy for Id<M> {}
impl<M: 'static> PartialEq for Id<M> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<M: 'static> Eq for Id<M> {}
impl<M: 'static> PartialOrd for Id<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<M: 'static> Ord for Id<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<M: 'static> Hash for Id<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<M: 'static> fmt::Debug for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.uuid)
    }
}
impl<M: 'static> fmt::Display for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<M: 'static> From<Uuid> for Id<M> {
    fn from(uuid: Uuid) -> Self {
        Self::new(uuid)
    }
}
impl<M: 'static> From<Id<M>> for Uuid {
    fn from(id: Id<M>) -> Self {
        id.uuid
    }
}
impl<M: 'static> FromStr for Id<M> {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::new)
    }
}
impl<M: Evented<Key = Id<M>>> IntoKey for Id<M> {
    fn into_key(self) -> Option<KeyValue> {
        Some(M::key_value(&self))
    }
}

// Every database keeps the bytes of a UUID, or its text in lower case: both have the order of the bytes.
impl<M: 'static> live::Value for Id<M> {}
impl<M: 'static> live::Ordered for Id<M> {}

impl<M: 'static> Serialize for Id<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}
impl<'de, M: 'static> Deserialize<'de> for Id<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::new)
    }
}

/// Binds and reads an id as the UUID in it.
macro_rules! as_uuid {
    ($($(#[$cfg:meta])? $sql:ty),*) => {$(
        $(#[$cfg])?
        impl<M: 'static, DB: Backend> ToSql<$sql, DB> for Id<M>
        where
            Uuid: ToSql<$sql, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.uuid.to_sql(out)
            }
        }
        $(#[$cfg])?
        impl<M: 'static, DB: Backend> FromSql<$sql, DB> for Id<M>
        where
            Uuid: FromSql<$sql, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                Uuid::from_sql(bytes).map(Self::new)
            }
        }
    )*};
}
as_uuid!(
    Uid,
    #[cfg(feature = "__pg")]
    diesel::sql_types::Uuid
);

impl<M: 'static, DB: Backend> ToSql<Binary, DB> for Id<M>
where
    [u8]: ToSql<Binary, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.uuid.as_bytes().as_slice().to_sql(out)
    }
}
impl<M: 'static, DB: Backend> FromSql<Binary, DB> for Id<M>
where
    Vec<u8>: FromSql<Binary, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::new(Uuid::from_slice(&Vec::<u8>::from_sql(bytes)?)?))
    }
}

#[cfg(feature = "sqlite")]
impl<M: 'static> ToSql<Text, diesel::sqlite::Sqlite> for Id<M> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, diesel::sqlite::Sqlite>) -> serialize::Result {
        out.set_value(self.uuid.to_string());
        Ok(serialize::IsNull::No)
    }
}

#[cfg(feature = "__pg")]
impl<M: 'static> ToSql<Text, diesel::pg::Pg> for Id<M> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, diesel::pg::Pg>) -> serialize::Result {
        use std::io::Write as _;
        write!(out, "{}", self.uuid)?;
        Ok(serialize::IsNull::No)
    }
}

impl<M: 'static, DB: Backend> FromSql<Text, DB> for Id<M>
where
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::new(String::from_sql(bytes)?.parse()?))
    }
}
