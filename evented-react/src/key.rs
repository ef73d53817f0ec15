//! Keys of deliveries: deliveries of one key are handled one after the other.

use std::fmt;

use evented_core::KeyValue;
pub(crate) use evented_diesel::IntoKey;
use evented_diesel::spi::{key_text, stable_hash};

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
        Self(key_text(key))
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
        i32::try_from(mixed(stable_hash(self.0.as_bytes())) % parts).unwrap_or(0)
    }
}

/// Mixes the bits of a hash, so that keys which differ in the last character alone, as the ids of new records do, get different
/// parts. This is the end of MurmurHash3, `fmix64`.
fn mixed(hash: u64) -> u64 {
    let step = |hash: u64, factor: u64| (hash ^ (hash >> 33)).wrapping_mul(factor);
    let hash = step(step(hash, 0xff51_afd7_ed55_8ccd), 0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
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
    fn the_ids_of_new_records_are_spread_over_the_parts() {
        for (first, parts) in [(1, 2), (1, 8), (1_000, 8), (123_450, 16)] {
            let mut counts = vec![0; usize::try_from(parts).unwrap()];
            for id in first..first + 50 * parts {
                let part = OrderKey::of(&KeyValue::Int(id)).part(parts);
                counts[usize::try_from(part).unwrap()] += 1;
            }
            assert!(counts.iter().all(|count| (25..=75).contains(count)), "{first} {counts:?}");
        }
    }

    #[test]
    fn the_part_of_a_key_never_changes() {
        let part = |text: &str| OrderKey::of(&KeyValue::Text(text.into())).part(8);
        assert_eq!([part("a"), part("b"), part("c")], [part("a"), part("b"), part("c")]);
        assert_eq!(OrderKey::of(&KeyValue::Int(1)).part(1), 0);
        let parts: Vec<i32> = (1..=8).map(|id| OrderKey::of(&KeyValue::Int(id)).part(8)).collect();
        assert_eq!(parts, [3, 2, 0, 4, 3, 5, 5, 6]);
    }
}
