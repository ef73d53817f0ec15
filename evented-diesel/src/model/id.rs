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
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::sql_types::Uid;

/// The key of a record of type `M`: a UUID that cannot be confused with the key of another model.
///
/// It works on every supported database, including those without a UUID type.
#[derive(AsExpression, FromSqlRow)]
#[diesel(sql_type = Uid)]
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

impl<M: 'static, DB: Backend> ToSql<Uid, DB> for Id<M>
where
    Uuid: ToSql<Uid, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.uuid.to_sql(out)
    }
}
impl<M: 'static, DB: Backend> FromSql<Uid, DB> for Id<M>
where
    Uuid: FromSql<Uid, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Uuid::from_sql(bytes).map(Self::new)
    }
}
