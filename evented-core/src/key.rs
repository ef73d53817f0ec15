//! Keys: the values that identify a record in its table and in the log.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

/// The type of a model's key, and who makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// A UUID v7, made by the library. It is the id of the record's first event.
    Uuid,
    /// Text, given by the caller.
    Text,
    /// A 32-bit integer, made by the database.
    Int,
    /// A 64-bit integer, made by the database.
    BigInt,
}

impl KeyKind {
    /// Whether the database makes the key when it inserts the row.
    #[must_use]
    pub fn by_database(self) -> bool {
        matches!(self, Self::Int | Self::BigInt)
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

/// A key of any model. Its serde form is the key alone: a string or a number.
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

/// The text of a key of several columns: its parts, separated by `/`. In each part, `%` and `/` are escaped.
///
/// ```
/// use evented_core::{key_parts, key_text};
///
/// assert_eq!(key_text(["12", "a/b"]), "12/a%2Fb");
/// assert_eq!(key_parts("12/a%2Fb").unwrap(), ["12", "a/b"]);
/// ```
#[must_use]
pub fn key_text<'p>(parts: impl IntoIterator<Item = &'p str>) -> String {
    let parts: Vec<String> =
        parts.into_iter().map(|part| part.replace('%', "%25").replace('/', "%2F")).collect();
    parts.join("/")
}

/// The parts of a key of several columns, from its [text](key_text); `None` if a `%` begins no escape.
#[must_use]
pub fn key_parts(text: &str) -> Option<Vec<String>> {
    let part = |part: &str| {
        let mut pieces = part.split('%');
        let mut plain = pieces.next()?.to_owned();
        for piece in pieces {
            let (escape, rest) = piece.split_at_checked(2)?;
            plain.push(match escape {
                "25" => '%',
                "2F" => '/',
                _ => return None,
            });
            plain.push_str(rest);
        }
        Some(plain)
    };
    text.split('/').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_key_gives_its_parts() {
        for parts in [vec!["12", "7"], vec!["", ""], vec!["%", "/"], vec!["a%2Fb", "%25", "ä"], vec!["x"]] {
            assert_eq!(key_parts(&key_text(parts.iter().copied())).unwrap(), parts);
        }
        assert_ne!(key_text(["a/b", "c"]), key_text(["a", "b/c"]));
        for text in ["%", "%2", "a%2f", "%zz/1", "%2ä"] {
            assert_eq!(key_parts(text), None, "{text}");
        }
    }
}
