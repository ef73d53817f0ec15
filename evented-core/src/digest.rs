//! Digests of states: 128-bit hashes by which a row is compared with the log.
//!
//! Each field is written in a canonical form and digested with SHA-256. The digest of the state covers the digests of
//! its fields, so that a field with personal data can be erased later without invalidating the digest of the state.

use std::fmt;

use serde::Serialize;

use crate::sha256;

pub(crate) mod canonical;
mod commitment;

pub use commitment::Commitment;

/// A digest of a state, of a field or of a value: 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub(crate) [u8; Digest::LEN]);

impl Digest {
    /// The length of the digest in bytes.
    pub const LEN: usize = 16;
    /// The digest of "no record", the state after a delete.
    pub const NOTHING: Self = Self([0; Self::LEN]);

    /// The digest with these bytes; `None` unless there are exactly [`LEN`](Self::LEN).
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes of the digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The digest of one value; `None` if it is null.
    pub(crate) fn of_value<T: Serialize + ?Sized>(
        field: &'static str,
        value: &T,
    ) -> Result<Option<Self>, Unstorable> {
        let mut buffer = Vec::with_capacity(64);
        canonical::write(value, &mut buffer)
            .map_err(|error| Unstorable { field, reason: error.to_string() })?;
        Ok((buffer != [canonical::tag::NULL]).then(|| Self::of(&buffer)))
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut digest = [0; Self::LEN];
        digest.copy_from_slice(&sha256::of(&[bytes])[..Self::LEN]);
        Self(digest)
    }
}

/// 128 bits that these texts give, in this order and no other.
#[doc(hidden)]
#[must_use]
pub fn hash_of_parts<'p>(parts: impl IntoIterator<Item = &'p str>) -> [u8; Digest::LEN] {
    let mut bytes = Vec::with_capacity(128);
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    Digest::of(&bytes).0
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A value that no database stores faithfully.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}` cannot be stored: {reason}")]
#[non_exhaustive]
pub struct Unstorable {
    /// The field's name.
    pub field: &'static str,
    /// Why it cannot be stored.
    pub reason: String,
}

/// The digests of a state's fields, in the order of the struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDigests(Vec<Digest>);

impl FieldDigests {
    /// The digest of the state. `order` is [`Evented::DIGEST_ORDER`](crate::Evented::DIGEST_ORDER) of the model.
    #[must_use]
    pub fn state(&self, order: &[usize]) -> Digest {
        let mut bytes = Vec::with_capacity(order.len() * Digest::LEN);
        for digest in order.iter().filter_map(|index| self.0.get(*index)) {
            bytes.extend_from_slice(digest.as_bytes());
        }
        Digest::of(&bytes)
    }

    /// The indices of the fields that differ.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<usize> {
        let pairs = self.0.iter().zip(&other.0).enumerate();
        pairs.filter(|(_, (this, that))| this != that).map(|(index, _)| index).collect()
    }
}

/// Digests the fields of a state, one after the other. The derived code uses it.
#[derive(Debug)]
pub struct StateDigester {
    digests: Vec<Digest>,
    buffer: Vec<u8>,
}

impl StateDigester {
    /// Creates a digester for a state of this many fields.
    #[must_use]
    pub fn new(fields: usize) -> Self {
        Self { digests: Vec::with_capacity(fields), buffer: Vec::with_capacity(64) }
    }

    /// Digests the next field.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored and read back: NaN, an infinity, text with a NUL byte, nesting deeper than 100
    /// levels, or a key that serde_json reserves.
    pub fn field<T: Serialize + ?Sized>(&mut self, field: &'static str, value: &T) -> Result<(), Unstorable> {
        self.buffer.clear();
        let written = canonical::write(value, &mut self.buffer);
        self.finish_field(field, written)
    }

    /// Digests the next field, whose lists have no order: a `HashSet`, for example.
    ///
    /// # Errors
    ///
    /// As [`field`](Self::field).
    pub fn unordered_field<T: Serialize + ?Sized>(
        &mut self,
        field: &'static str,
        value: &T,
    ) -> Result<(), Unstorable> {
        self.buffer.clear();
        let written = canonical::write_unordered(value, &mut self.buffer);
        self.finish_field(field, written)
    }

    /// Adds the digest of the next field, a personal one: that of its commitment.
    pub fn committed_field(&mut self, commitment: &Commitment) {
        self.digests.push(commitment.digest());
    }

    fn finish_field(
        &mut self,
        field: &'static str,
        written: Result<(), canonical::Refused>,
    ) -> Result<(), Unstorable> {
        written.map_err(|error| Unstorable { field, reason: error.to_string() })?;
        self.digests.push(Digest::of(&self.buffer));
        Ok(())
    }

    /// The digests of all fields, in the order in which they were added.
    #[must_use]
    pub fn finish(self) -> FieldDigests {
        FieldDigests(self.digests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest<T: Serialize>(value: T) -> Digest {
        let mut digester = StateDigester::new(1);
        digester.field("field", &value).expect("storable");
        digester.finish().state(&[0])
    }

    #[test]
    fn numbers_are_digested_by_meaning() {
        assert_eq!(digest(1_i32), digest(1.0_f64));
        assert_eq!(digest(0.0_f64), digest(-0.0_f64));
        assert_eq!(digest(1e16_f64), digest(10_000_000_000_000_000_u64));
        assert_ne!(digest(1.5_f64), digest(1_i32));
        assert_ne!(digest(i64::MAX), digest(i64::MAX as f64));
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let one: serde_json::Value =
            serde_json::from_str(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#).expect("json");
        let other: serde_json::Value =
            serde_json::from_str(r#"{"b": {"d": 3, "c": 2}, "a": 1.0}"#).expect("json");
        assert_eq!(digest(one), digest(other));
    }

    #[test]
    fn neighbours_do_not_run_together() {
        assert_ne!(digest(("ab", "c")), digest(("a", "bc")));
        assert_ne!(digest(vec![vec![1], vec![]]), digest(vec![vec![], vec![1]]));
        assert_ne!(digest(None::<String>), digest(String::new()));
    }

    /// With `arbitrary_precision`, serde_json's numbers serialize as structs of this form.
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::Number")]
    struct PreciseNumber<'a> {
        #[serde(rename = "$serde_json::private::Number")]
        text: &'a str,
    }

    /// serde_json's `RawValue` serializes as a struct of this form.
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::RawValue")]
    struct Raw<'a> {
        #[serde(rename = "$serde_json::private::RawValue")]
        text: &'a str,
    }

    #[test]
    fn the_features_of_serde_json_do_not_matter() {
        for text in ["0", "-0", "5", "-7", "5.0", "1e2", "0.1", "1e23", "18446744073709551615", "1.5e300"] {
            let plain: f64 = text.parse().expect("a number");
            let precise = digest(PreciseNumber { text });
            match text.parse::<u64>() {
                Ok(integer) => assert_eq!(precise, digest(integer), "{text}"),
                Err(_) => assert_eq!(precise, digest(plain), "{text}"),
            }
            assert_eq!(digest(Raw { text }), precise, "{text}");
        }
        let text = r#"{"b": [1, 2.5, "x"], "a": null}"#;
        let value: serde_json::Value = serde_json::from_str(text).expect("json");
        assert_eq!(digest(Raw { text }), digest(value));
    }

    #[test]
    fn the_order_of_a_set_does_not_matter_and_that_of_a_list_does() {
        let unordered = |value: &[&str]| {
            let mut digester = StateDigester::new(1);
            digester.unordered_field("field", &value).expect("storable");
            digester.finish().state(&[0])
        };
        assert_eq!(unordered(&["a", "b", "c"]), unordered(&["c", "a", "b"]));
        assert_ne!(unordered(&["a", "b"]), unordered(&["a", "b", "b"]));
        assert_ne!(digest(["a", "b"]), digest(["b", "a"]));
    }

    #[test]
    fn what_cannot_be_read_back_is_refused() {
        let mut digester = StateDigester::new(1);
        let mut nested = serde_json::Value::Null;
        for _ in 0..100 {
            nested = serde_json::Value::Array(vec![nested]);
        }
        assert!(digester.field("field", &nested).is_ok());
        assert!(digester.field("field", &[nested]).is_err());
        let reserved = std::collections::BTreeMap::from([("$serde_json::private::RawValue", "{}")]);
        assert!(digester.field("field", &reserved).is_err());
    }

    #[test]
    fn what_no_database_keeps_is_refused() {
        let mut digester = StateDigester::new(1);
        assert!(digester.field("field", &f64::NAN).is_err());
        assert!(digester.field("field", &[1.0, f64::INFINITY]).is_err());
        assert!(digester.field("field", "nul \0 byte").is_err());
    }
}
