//! Keys of a log that a condition or an insert binds together.

use evented_core::{ExactKey, KeyValue};
use uuid::Uuid;

/// Keys of one kind. The lists of the other kinds are empty.
#[derive(Debug, Default)]
pub struct KeyList<'q> {
    /// Keys that are UUIDs.
    pub(crate) uuids: Vec<Uuid>,
    /// Keys that are texts.
    pub(crate) texts: Vec<&'q str>,
    /// Keys of four bytes.
    pub(crate) ints: Vec<i32>,
    /// Keys of eight bytes.
    pub(crate) big_ints: Vec<i64>,
}

impl<'q> KeyList<'q> {
    pub(crate) fn of(keys: impl IntoIterator<Item = &'q KeyValue>) -> Self {
        let mut list = Self::default();
        for key in keys {
            match key.exact() {
                ExactKey::Uuid(key) => list.uuids.push(key),
                ExactKey::Text(key) => list.texts.push(key),
                ExactKey::Int(key) => list.ints.push(key),
                ExactKey::BigInt(key) => list.big_ints.push(key),
            }
        }
        list
    }
}
