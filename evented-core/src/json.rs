//! JSON text, kept byte for byte as it was written.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A JSON document as stored: its text, not a tree, so that reading an event costs one decode and a digest of the
/// stored bytes stays true.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// Takes text that is known to be JSON: what this library or the database made.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    ///
    /// If the value's `Serialize` refuses, or a map has keys that are not strings.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self)
    }

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// If the text does not have the form of a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The text.
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
