//! Log sequence numbers: positions in the write-ahead log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A position in the write-ahead log. It is displayed as PostgreSQL displays it: `16/B374D848`.
///
/// A position is valid on one server and one timeline: see [`SystemId`](super::SystemId).
///
/// ```
/// use evented_wal::Lsn;
///
/// let at: Lsn = "16/B374D848".parse()?;
/// assert_eq!(at, Lsn(0x16_B374_D848));
/// assert_eq!(at.to_string(), "16/B374D848");
/// # Ok::<_, evented_wal::NotAnLsn>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The position before the start of every log.
    pub const ZERO: Self = Self(0);
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// The error for text that is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a position in a write-ahead log; a position has the form `16/B374D848`")]
pub struct NotAnLsn(pub String);

impl FromStr for Lsn {
    type Err = NotAnLsn;

    fn from_str(text: &str) -> Result<Self, NotAnLsn> {
        let part = |part: &str| {
            // `from_str_radix` would accept a sign.
            let digits = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            if digits { u32::from_str_radix(part, 16).ok() } else { None }
        };
        let parts = text.split_once('/').and_then(|(high, low)| Some((part(high)?, part(low)?)));
        let (high, low) = parts.ok_or_else(|| NotAnLsn(text.to_owned()))?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

/// Serializes the position as its text.
impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_its_text() {
        for (lsn, text) in [
            (Lsn(0), "0/0"),
            (Lsn(0x16_B374_D848), "16/B374D848"),
            (Lsn(u64::MAX), "FFFFFFFF/FFFFFFFF"),
            (Lsn(0x1_0000_000A), "1/A"),
        ] {
            assert_eq!(lsn.to_string(), text);
            assert_eq!(text.parse(), Ok(lsn));
            assert_eq!(serde_json::from_str::<Lsn>(&serde_json::to_string(&lsn).unwrap()).unwrap(), lsn);
        }
        assert_eq!("16/b374d848".parse(), Ok(Lsn(0x16_B374_D848)));
    }

    #[test]
    fn an_invalid_lsn_is_refused() {
        for text in ["", "/", "1", "1/", "/1", "+1/1", "1/-1", "1/1/1", "1/123456789", "x/1", " 1/1"] {
            assert_eq!(text.parse::<Lsn>(), Err(NotAnLsn(text.to_owned())));
        }
    }
}
