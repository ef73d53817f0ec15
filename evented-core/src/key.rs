//! Keys: what names a record in its table and in the log.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Who makes a key, and of what type it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A UUID v7, made by the library: the id of the record's first event.
    Uuid,
    /// Text, given by the caller.
    Text,
    /// A 32 bit integer, made by the database.
    Int,
    /// A 64 bit integer, made by the database.
    BigInt,
}

impl KeyKind {
    /// Whether the database makes the key as it inserts the row.
    #[must_use]
    pub fn by_database(self) -> bool {
        matches!(self, Self::Int | Self::BigInt)
    }
}

/// A key as a value, whatever the model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue {
    /// A UUID.
    Uuid(Uuid),
    /// Text.
    Text(String),
    /// A 32 bit integer.
    Int(i32),
    /// A 64 bit integer.
    BigInt(i64),
}

impl fmt::Display for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(key) => key.fmt(f),
            Self::Text(key) => key.fmt(f),
            Self::Int(key) => key.fmt(f),
            Self::BigInt(key) => key.fmt(f),
        }
    }
}

/// The key of a record of type `M`: a UUID that cannot be mistaken for the key of another model.
///
/// It works on every database the library knows, also on those without a UUID type.
pub struct Id<M: ?Sized> {
    uuid: Uuid,
    // `fn() -> *const M`: an id is `Send`, `Sync` and free of drop checks whatever `M` is.
    model: PhantomData<fn() -> *const M>,
}

impl<M: ?Sized> Id<M> {
    /// The id with this UUID.
    #[must_use]
    pub const fn new(uuid: Uuid) -> Self {
        Self { uuid, model: PhantomData }
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<M: ?Sized> Clone for Id<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M: ?Sized> Copy for Id<M> {}
impl<M: ?Sized> PartialEq for Id<M> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<M: ?Sized> Eq for Id<M> {}
impl<M: ?Sized> PartialOrd for Id<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<M: ?Sized> Ord for Id<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<M: ?Sized> Hash for Id<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<M: ?Sized> fmt::Debug for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.uuid)
    }
}
impl<M: ?Sized> fmt::Display for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<M: ?Sized> From<Uuid> for Id<M> {
    fn from(uuid: Uuid) -> Self {
        Self::new(uuid)
    }
}
impl<M: ?Sized> From<Id<M>> for Uuid {
    fn from(id: Id<M>) -> Self {
        id.uuid
    }
}
impl<M: ?Sized> FromStr for Id<M> {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::new)
    }
}
impl<M: ?Sized> Serialize for Id<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}
impl<'de, M: ?Sized> Deserialize<'de> for Id<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::new)
    }
}
