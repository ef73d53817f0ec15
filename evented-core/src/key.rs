//! Keys: the values that identify a record in its table and in the log.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

mod part;

#[doc(hidden)]
pub use part::{ExactPart, ExactPartKind};
pub use part::{KeyPart, KeyPartKind, KeyPrimitive, key_parts, key_text};

/// The form in which a log keeps the keys of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// A UUID.
    Uuid,
    /// Text: a key of text, or the [text](key_text) of a key of another type or of several columns.
    Text,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer.
    BigInt,
}

impl KeyKind {
    /// The form of keys with these parts in a log of their model's own. A key of one part keeps its type if there is a
    /// form for it; every other key is kept as text.
    #[must_use]
    pub const fn of(parts: &[KeyPartKind]) -> Self {
        match parts {
            [KeyPartKind::Uuid] => Self::Uuid,
            [KeyPartKind::Int] => Self::Int,
            [KeyPartKind::BigInt] => Self::BigInt,
            _ => Self::Text,
        }
    }

    /// The form of keys with these parts in a log that keeps keys of the form `self`: that form if it fits, otherwise
    /// text.
    #[must_use]
    pub const fn holding(self, parts: &[KeyPartKind]) -> Self {
        match (self, Self::of(parts)) {
            (Self::Uuid, Self::Uuid) => Self::Uuid,
            (Self::Int, Self::Int) => Self::Int,
            (Self::BigInt, Self::BigInt) => Self::BigInt,
            _ => Self::Text,
        }
    }

    /// Whether two forms are the same, at compile time.
    #[doc(hidden)]
    #[must_use]
    pub const fn is(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Uuid, Self::Uuid)
                | (Self::Text, Self::Text)
                | (Self::Int, Self::Int)
                | (Self::BigInt, Self::BigInt)
        )
    }

    /// The kind, for a match without a wildcard.
    #[doc(hidden)]
    #[must_use]
    pub const fn exact(self) -> ExactKind {
        match self {
            Self::Uuid => ExactKind::Uuid,
            Self::Text => ExactKind::Text,
            Self::Int => ExactKind::Int,
            Self::BigInt => ExactKind::BigInt,
        }
    }
}

/// Who makes the key of a new record for which the caller gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// The library: a UUID v7, which is the id of the record's first event.
    Library,
    /// The caller, who must give each record its key.
    Caller,
    /// The database, when it inserts the row.
    Database,
}

/// A key of any model, in the form in which its log keeps it. Its serde form is the key alone: a string or a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum KeyValue {
    /// A UUID.
    Uuid(Uuid),
    /// Text.
    Text(String),
    /// A 32-bit integer.
    Int(i32),
    /// A 64-bit integer.
    BigInt(i64),
}

impl KeyValue {
    /// The key with these parts, in the form of its log.
    ///
    /// ```
    /// use evented_core::{KeyKind, KeyPart, KeyValue};
    ///
    /// assert_eq!(KeyValue::of(KeyKind::Int, [KeyPart::Int(7)]), KeyValue::Int(7));
    /// let two = KeyValue::of(KeyKind::Text, [KeyPart::Int(12), KeyPart::Text("a/b".into())]);
    /// assert_eq!(two, KeyValue::Text("12/a%2Fb".into()));
    /// ```
    #[must_use]
    pub fn of<const N: usize>(kind: KeyKind, parts: [KeyPart; N]) -> Self {
        let mut parts = parts.into_iter().peekable();
        match (kind, parts.next(), parts.peek()) {
            (KeyKind::Uuid, Some(KeyPart::Uuid(key)), None) => Self::Uuid(key),
            (KeyKind::Int, Some(KeyPart::Int(key)), None) => Self::Int(key),
            (KeyKind::BigInt, Some(KeyPart::BigInt(key)), None) => Self::BigInt(key),
            (_, Some(KeyPart::Text(key)), None) => Self::Text(key),
            (_, first, _) => {
                let texts: Vec<String> = first.into_iter().chain(parts).map(|part| part.text()).collect();
                Self::Text(key_text(texts.iter().map(String::as_str)))
            }
        }
    }

    /// The parts of the key, which are of these kinds; `None` if it is no such key. Of the spellings of a key, only the
    /// one that [`KeyValue::of`] writes is a key: one record has one key.
    #[must_use]
    pub fn parts(&self, kinds: &[KeyPartKind]) -> Option<Vec<KeyPart>> {
        if let [kind] = kinds {
            return Some(vec![self.part(*kind)?]);
        }
        let Self::Text(text) = self else { return None };
        let texts = key_parts(text)?;
        if texts.len() != kinds.len() {
            return None;
        }
        kinds.iter().zip(&texts).map(|(kind, text)| KeyPart::parse(*kind, text)).collect()
    }

    /// The key as its only part, which is of this kind; `None` if it is no such key.
    #[must_use]
    pub fn part(&self, kind: KeyPartKind) -> Option<KeyPart> {
        match (self, kind) {
            (Self::Uuid(key), KeyPartKind::Uuid) => Some(KeyPart::Uuid(*key)),
            (Self::Int(key), KeyPartKind::Int) => Some(KeyPart::Int(*key)),
            (Self::BigInt(key), KeyPartKind::BigInt) => Some(KeyPart::BigInt(*key)),
            (Self::Text(key), KeyPartKind::Text) => Some(KeyPart::Text(key.clone())),
            (Self::Text(key), kind) => KeyPart::parse(kind, key),
            _ => None,
        }
    }

    /// The key, for a match without a wildcard.
    #[doc(hidden)]
    #[must_use]
    pub fn exact(&self) -> ExactKey<'_> {
        match self {
            Self::Uuid(key) => ExactKey::Uuid(*key),
            Self::Text(key) => ExactKey::Text(key),
            Self::Int(key) => ExactKey::Int(*key),
            Self::BigInt(key) => ExactKey::BigInt(*key),
        }
    }
}

impl From<String> for KeyValue {
    fn from(key: String) -> Self {
        Self::Text(key)
    }
}
impl From<i32> for KeyValue {
    fn from(key: i32) -> Self {
        Self::Int(key)
    }
}
impl From<i64> for KeyValue {
    fn from(key: i64) -> Self {
        Self::BigInt(key)
    }
}

/// [`KeyKind`] for evented's own crates. They handle every kind, and the compiler finds each match that a new kind has
/// to extend. Not covered by semver.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "as in `KeyKind`")]
pub enum ExactKind {
    Uuid,
    Text,
    Int,
    BigInt,
}

/// [`KeyValue`] for evented's own crates, like [`ExactKind`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "as in `KeyValue`")]
pub enum ExactKey<'k> {
    Uuid(Uuid),
    Text(&'k str),
    Int(i32),
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
