//! JSON text, stored byte for byte as it was written.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A JSON document as text. It is stored as text and not as a tree, so that reading an event decodes it once and
/// digests of the stored bytes stay valid.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// Wraps text that is known to be JSON. Does not check it: the caller got it from this library or from the
    /// database.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// Serializes a value.
    ///
    /// # Errors
    ///
    /// If the value's `Serialize` fails, or a map has keys that are not strings.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self)
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
