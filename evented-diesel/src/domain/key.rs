//! Keys that order events: events of one key are handled one after the other.

use evented_core::KeyValue;
use uuid::Uuid;

/// A value that orders deliveries, or names the row of a derived table: a key, or a column that refers to one.
///
/// `None` names no row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key",
    note = "keys are integers, texts, UUIDs and the ids of models, and options of them"
)]
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

/// Returns the text of a key, with its kind: two keys are equal if their texts are. A bus stores it.
#[must_use]
pub fn key_text(key: &KeyValue) -> String {
    match key {
        KeyValue::Uuid(key) => format!("u:{key}"),
        // Databases keep no NUL. The text only orders.
        KeyValue::Text(key) => format!("t:{}", key.replace('\0', "\u{fffd}")),
        KeyValue::Int(key) => format!("n:{key}"),
        KeyValue::BigInt(key) => format!("n:{key}"),
        // A kind of a later version.
        other => format!("x:{other}"),
    }
}
