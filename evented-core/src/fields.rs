//! A state as named JSON values: the form of savepoints and of external changes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fields of a record by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(pub(crate) Map<String, Value>);

/// The error for a field that could not be decoded or encoded.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}`: {error}")]
pub struct FieldError {
    /// The field's name.
    pub field: &'static str,
    /// The error that serde reported.
    pub error: serde_json::Error,
}

impl Fields {
    /// Creates an empty set of fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    pub fn set(&mut self, field: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(field.into(), value.into());
    }

    /// The value of a field; `None` if there is none.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Removes a field and decodes it. A missing field is decoded as `null`, so an optional field may be missing.
    ///
    /// # Errors
    ///
    /// If the value does not decode into a `T`.
    pub fn take<T: DeserializeOwned>(&mut self, field: &'static str) -> Result<T, FieldError> {
        let Some(value) = self.0.remove(field) else {
            return serde_json::from_value(Value::Null).map_err(|_| FieldError {
                field,
                error: serde::de::Error::custom(
                    "the event does not have it, and no step adds it; write `#[evented(added(version = n))]` on the \
                     field, with the version that has it first",
                ),
            });
        };
        serde_json::from_value(value).map_err(|error| FieldError { field, error })
    }

    /// Copies every field of `other` into this one, over the fields that it has.
    pub fn overlay(&mut self, other: &Self) {
        for (field, value) in &other.0 {
            self.0.insert(field.clone(), value.clone());
        }
    }

    /// Iterates over all fields and their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(field, value)| (field.as_str(), value))
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
