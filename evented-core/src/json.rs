//! JSON text, stored byte for byte as it was written.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

mod check;
mod erased;
mod scan;

pub use check::JsonError;
pub(crate) use check::{MAX_DEPTH, PRIVATE_KEY};
pub(crate) use erased::hash_of;
pub(crate) use scan::text_entry;

/// A JSON document as text. It is stored as text and not as a tree, so that reading an event decodes it once and
/// hashes of the stored bytes stay valid.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// Wraps text that is known to be JSON. Does not check it: the caller got it from this library or from the
    /// database.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// Serializes a value to be written into a log. What passes can be read back, on every database and whatever the
    /// features of serde_json.
    ///
    /// # Errors
    ///
    /// [`JsonError`]: the value's `Serialize` fails, or a map has keys that are not strings, or the text is too long,
    /// too deep, or has a part that does not survive a database or serde_json.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        let text = serde_json::to_string(value).map_err(JsonError::Serialize)?;
        check::text(&text)?;
        Ok(Self(text))
    }

    /// Deserializes a value.
    ///
    /// # Errors
    ///
    /// If the text does not decode into a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The text of the document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
