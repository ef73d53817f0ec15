//! Commitments: what stands for a personal value in digests and payloads, so that the value can be erased.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::digest::{Digest, Unstorable, canonical};
use crate::sha256;

/// A salted hash of a value. It binds the value, and reveals nothing of it once the salt is gone.
///
/// Its serde form is `{"$commitment":"…"}`, which stands in a payload in place of the value. One salt serves all
/// values of a record, and is stored apart from the log; who erases the salt and the values erases the record's personal
/// data, while digests, hashes, checkpoints and proofs stay valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment([u8; sha256::LEN]);

const COMMITMENT: &[u8] = b"evented 1 commitment";

impl Commitment {
    /// Commits to the value of a field. The name of the field enters the hash, so that equal values of two fields have
    /// different commitments.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored.
    pub fn of<T: Serialize + ?Sized>(
        salt: &[u8; 32],
        field: &'static str,
        value: &T,
    ) -> Result<Self, Unstorable> {
        let mut form = Vec::with_capacity(64);
        canonical::write(value, &mut form)
            .map_err(|error| Unstorable { field, reason: error.to_string() })?;
        let length = (field.len() as u64).to_be_bytes();
        Ok(Self(sha256::of(&[COMMITMENT, salt, &length, field.as_bytes(), &form])))
    }

    /// The digest of the field that the commitment stands for.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut digest = [0; Digest::LEN];
        digest.copy_from_slice(&self.0[..Digest::LEN]);
        Digest(digest)
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("$commitment", &sha256::hex(&self.0))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salt_field_and_value_count() {
        let of = |salt: u8, field, value: &str| Commitment::of(&[salt; 32], field, value).expect("storable");
        let found = of(1, "name", "Ada");
        assert_eq!(of(1, "name", "Ada"), found);
        assert_ne!(of(2, "name", "Ada"), found);
        assert_ne!(of(1, "mail", "Ada"), found);
        assert_ne!(of(1, "name", "Ben"), found);
        let json = serde_json::to_string(&found).expect("json");
        assert!(json.starts_with(r#"{"$commitment":""#), "{json}");
    }
}
