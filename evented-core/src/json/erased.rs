//! Documents that were erased: their hash stands in their place, so that the chain can still be checked.

use crate::{Json, sha256};

const BEFORE: &str = "{\"$erased\":\"";
const AFTER: &str = "\"}";

/// The hash that an event's hash covers for a document: that of its text, or the one that stands for an erased text.
pub(crate) fn hash_of(text: &str) -> [u8; sha256::LEN] {
    kept_hash(text).unwrap_or_else(|| sha256::of(&[text.as_bytes()]))
}

/// Whether the text of a document was erased.
pub(super) fn is_erased(text: &str) -> bool {
    kept_hash(text).is_some()
}

fn kept_hash(text: &str) -> Option<[u8; sha256::LEN]> {
    let hex = text.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    sha256::from_hex(hex)
}

impl Json {
    /// The document with its text erased: `{"$erased":"…"}` with the hash of the text. The hash of an event, and so the
    /// chain of its record, stays valid.
    #[must_use]
    pub fn erased(&self) -> Self {
        if is_erased(self.as_str()) {
            return self.clone();
        }
        Self::from_text(format!("{BEFORE}{}{AFTER}", sha256::hex(&hash_of(self.as_str()))))
    }

    /// Whether the text of the document was [erased](Self::erased).
    #[must_use]
    pub fn is_erased(&self) -> bool {
        is_erased(self.as_str())
    }
}
