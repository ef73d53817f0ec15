//! Defines the values of the log's own types that statements bind.

use chrono::{DateTime, Utc};
use evented_core::{ExactKey, KeyValue};
use uuid::Uuid;

/// A value of the log's own types.
#[derive(Debug, Clone, Copy)]
pub enum Value<'q> {
    /// A UUID.
    Uuid(Uuid),
    /// Text.
    Text(&'q str),
    /// A 32-bit integer.
    Int(i32),
    /// A 64-bit integer.
    BigInt(i64),
    /// A JSON document, as its text.
    Json(&'q str),
    /// A time, with a precision of one microsecond.
    Time(DateTime<Utc>),
    /// Bytes.
    Bytes(&'q [u8]),
}

impl<'q> From<&'q KeyValue> for Value<'q> {
    fn from(key: &'q KeyValue) -> Self {
        match key.exact() {
            ExactKey::Uuid(key) => Self::Uuid(key),
            ExactKey::Text(key) => Self::Text(key),
            ExactKey::Int(key) => Self::Int(key),
            ExactKey::BigInt(key) => Self::BigInt(key),
        }
    }
}

impl From<Uuid> for Value<'_> {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}
impl<'q> From<&'q str> for Value<'q> {
    fn from(value: &'q str) -> Self {
        Self::Text(value)
    }
}
impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::BigInt(value)
    }
}
impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}
impl From<DateTime<Utc>> for Value<'_> {
    fn from(value: DateTime<Utc>) -> Self {
        Self::Time(value)
    }
}
