//! Keys of deliveries: deliveries of one key are handled one after the other.

use std::fmt;

use evented_core::{Evented, KeyValue};
use evented_diesel::Id;
use evented_diesel::spi::stable_hash;
use uuid::Uuid;

/// A value that orders deliveries, or names the row of a derived table: a key, or a column that refers to one.
///
/// `None` names no row.
pub trait IntoKey {
    /// Converts the value into a key.
    fn into_key(self) -> Option<KeyValue>;
}

impl IntoKey for KeyValue {
    fn into_key(self) -> Option<KeyValue> {
        Some(self)
    }
}

impl IntoKey for Uuid {
    fn into_key(self) -> Option<KeyValue> {
        Some(KeyValue::Uuid(self))
    }
}

impl<M: Evented<Key = Id<M>>> IntoKey for Id<M> {
    fn into_key(self) -> Option<KeyValue> {
        Some(M::key_value(&self))
    }
}

impl IntoKey for i16 {
    fn into_key(self) -> Option<KeyValue> {
        Some(KeyValue::BigInt(self.into()))
    }
}

impl IntoKey for i32 {
    fn into_key(self) -> Option<KeyValue> {
        Some(KeyValue::BigInt(self.into()))
    }
}

impl IntoKey for i64 {
    fn into_key(self) -> Option<KeyValue> {
        Some(KeyValue::BigInt(self))
    }
}

impl IntoKey for String {
    fn into_key(self) -> Option<KeyValue> {
        Some(KeyValue::Text(self))
    }
}

impl IntoKey for &str {
    fn into_key(self) -> Option<KeyValue> {
        Some(KeyValue::Text(self.to_owned()))
    }
}

impl<K: IntoKey + Clone> IntoKey for &K {
    fn into_key(self) -> Option<KeyValue> {
        self.clone().into_key()
    }
}

impl<K: IntoKey> IntoKey for Option<K> {
    fn into_key(self) -> Option<KeyValue> {
        self.and_then(IntoKey::into_key)
    }
}

/// Widens an integer: keys of columns of two widths are one key.
pub(crate) fn widened(key: KeyValue) -> KeyValue {
    match key {
        KeyValue::Int(key) => KeyValue::BigInt(key.into()),
        other => other,
    }
}

/// The text of a key, with its kind: what is stored, and what decides about the part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OrderKey(String);

impl OrderKey {
    /// The key of an event whose record is not known.
    pub(crate) fn unknown() -> Self {
        Self(String::new())
    }

    pub(crate) fn of(key: &KeyValue) -> Self {
        Self(match key {
            KeyValue::Uuid(key) => format!("u:{key}"),
            // Databases keep no NUL. The text only orders.
            KeyValue::Text(key) => format!("t:{}", key.replace('\0', "\u{fffd}")),
            KeyValue::Int(key) => format!("n:{key}"),
            KeyValue::BigInt(key) => format!("n:{key}"),
            // A kind of a later version.
            other => format!("x:{other}"),
        })
    }

    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part of `parts` that has the key.
    pub(crate) fn part(&self, parts: i32) -> i32 {
        let parts = u64::from(parts.max(1).unsigned_abs());
        // The upper half is mixed best.
        i32::try_from((stable_hash(self.0.as_bytes()) >> 32) % parts).unwrap_or(0)
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the kind: that is what a user knows.
        f.write_str(self.0.split_once(':').map_or("", |(_, key)| key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_two_widths_are_one_key() {
        assert_eq!(OrderKey::of(&KeyValue::Int(7)), OrderKey::of(&KeyValue::BigInt(7)));
        assert_ne!(OrderKey::of(&KeyValue::Int(7)), OrderKey::of(&KeyValue::Text("7".into())));
    }

    #[test]
    fn the_part_of_a_key_never_changes() {
        let part = |text: &str| OrderKey::of(&KeyValue::Text(text.into())).part(8);
        assert_eq!([part("a"), part("b"), part("c")], [part("a"), part("b"), part("c")]);
        assert_eq!(OrderKey::of(&KeyValue::Int(1)).part(1), 0);
    }
}
