//! The parts of keys: the value of each column, and their text.

use uuid::Uuid;

use super::KeyKind;

/// The type of one part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPartKind {
    /// A UUID.
    Uuid,
    /// Text.
    Text,
    /// A 16-bit integer.
    SmallInt,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer.
    BigInt,
    /// A truth value.
    Bool,
    /// Bytes.
    Bytes,
}

/// One part of a key: the value of one column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyPart {
    /// A UUID.
    Uuid(Uuid),
    /// Text.
    Text(String),
    /// A 16-bit integer.
    SmallInt(i16),
    /// A 32-bit integer.
    Int(i32),
    /// A 64-bit integer.
    BigInt(i64),
    /// A truth value.
    Bool(bool),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// [`KeyPartKind`] for evented's own crates. They handle every kind, and the compiler finds each match that a new kind
/// has to extend. Not covered by semver.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "as in `KeyPartKind`")]
pub enum ExactPartKind {
    Uuid,
    Text,
    SmallInt,
    Int,
    BigInt,
    Bool,
    Bytes,
}

/// [`KeyPart`] for evented's own crates, like [`ExactPartKind`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "as in `KeyPart`")]
pub enum ExactPart<'p> {
    Uuid(&'p Uuid),
    Text(&'p str),
    SmallInt(&'p i16),
    Int(&'p i32),
    BigInt(&'p i64),
    Bool(&'p bool),
    Bytes(&'p [u8]),
}

impl KeyPartKind {
    /// The form in which a log keeps a key of this part alone.
    #[must_use]
    pub const fn form(self) -> KeyKind {
        KeyKind::of(&[self])
    }

    /// The kind, for a match without a wildcard.
    #[doc(hidden)]
    #[must_use]
    pub fn exact(self) -> ExactPartKind {
        match self {
            Self::Uuid => ExactPartKind::Uuid,
            Self::Text => ExactPartKind::Text,
            Self::SmallInt => ExactPartKind::SmallInt,
            Self::Int => ExactPartKind::Int,
            Self::BigInt => ExactPartKind::BigInt,
            Self::Bool => ExactPartKind::Bool,
            Self::Bytes => ExactPartKind::Bytes,
        }
    }
}

impl KeyPart {
    /// The part, for a match without a wildcard.
    #[doc(hidden)]
    #[must_use]
    pub fn exact(&self) -> ExactPart<'_> {
        match self {
            Self::Uuid(part) => ExactPart::Uuid(part),
            Self::Text(part) => ExactPart::Text(part),
            Self::SmallInt(part) => ExactPart::SmallInt(part),
            Self::Int(part) => ExactPart::Int(part),
            Self::BigInt(part) => ExactPart::BigInt(part),
            Self::Bool(part) => ExactPart::Bool(part),
            Self::Bytes(part) => ExactPart::Bytes(part),
        }
    }

    /// The text of the part, before it is [escaped](key_text): a number in decimal digits, a UUID in lower case with
    /// hyphens, `true` or `false`, bytes as lower-case hexadecimal digits.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Uuid(part) => part.to_string(),
            Self::Text(part) => part,
            Self::SmallInt(part) => part.to_string(),
            Self::Int(part) => part.to_string(),
            Self::BigInt(part) => part.to_string(),
            Self::Bool(part) => part.to_string(),
            Self::Bytes(part) => part.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Parses the [text](KeyPart::text) of a part; `None` if it has another spelling.
    #[must_use]
    pub fn parse(kind: KeyPartKind, text: &str) -> Option<Self> {
        let part = match kind {
            KeyPartKind::Uuid => Self::Uuid(text.parse().ok()?),
            KeyPartKind::Text => Self::Text(text.to_owned()),
            KeyPartKind::SmallInt => Self::SmallInt(text.parse().ok()?),
            KeyPartKind::Int => Self::Int(text.parse().ok()?),
            KeyPartKind::BigInt => Self::BigInt(text.parse().ok()?),
            KeyPartKind::Bool => Self::Bool(text.parse().ok()?),
            KeyPartKind::Bytes => Self::Bytes(bytes(text)?),
        };
        (part.clone().text() == text).then_some(part)
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect::<Option<_>>()?;
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

/// A type that a part of a key is made of.
pub trait KeyPrimitive: Sized {
    /// The kind of the part.
    const KIND: KeyPartKind;
    /// Converts a value to a part.
    fn into_part(self) -> KeyPart;
    /// Converts a part to a value; `None` if it is of another kind.
    fn from_part(part: KeyPart) -> Option<Self>;
}

macro_rules! primitives {
    ($($ty:ty => $kind:ident),*) => {$(
        impl KeyPrimitive for $ty {
            const KIND: KeyPartKind = KeyPartKind::$kind;
            fn into_part(self) -> KeyPart {
                KeyPart::$kind(self)
            }
            fn from_part(part: KeyPart) -> Option<Self> {
                match part {
                    KeyPart::$kind(value) => Some(value),
                    _ => None,
                }
            }
        }
    )*};
}
primitives!(Uuid => Uuid, String => Text, i16 => SmallInt, i32 => Int, i64 => BigInt, bool => Bool, Vec<u8> => Bytes);

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

    #[test]
    fn a_part_has_one_text() {
        let parts = [
            KeyPart::Uuid(Uuid::from_u128(7)),
            KeyPart::Text("a/b".into()),
            KeyPart::SmallInt(-7),
            KeyPart::Int(12),
            KeyPart::BigInt(i64::MIN),
            KeyPart::Bool(true),
            KeyPart::Bytes(vec![0, 255]),
            KeyPart::Bytes(Vec::new()),
        ];
        let kinds = [
            KeyPartKind::Uuid,
            KeyPartKind::Text,
            KeyPartKind::SmallInt,
            KeyPartKind::Int,
            KeyPartKind::BigInt,
            KeyPartKind::Bool,
            KeyPartKind::Bytes,
            KeyPartKind::Bytes,
        ];
        for (part, kind) in parts.into_iter().zip(kinds) {
            assert_eq!(KeyPart::parse(kind, &part.clone().text()), Some(part));
        }
        let others = [
            (KeyPartKind::Int, "+7"),
            (KeyPartKind::Int, "007"),
            (KeyPartKind::SmallInt, "40000"),
            (KeyPartKind::Bool, "TRUE"),
            (KeyPartKind::Bytes, "0"),
            (KeyPartKind::Bytes, "0G"),
            (KeyPartKind::Bytes, "FF"),
            (KeyPartKind::Uuid, "00000000000000000000000000000007"),
        ];
        for (kind, text) in others {
            assert_eq!(KeyPart::parse(kind, text), None, "{text}");
        }
    }
}
