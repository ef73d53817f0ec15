//! A state as named JSON values: the form of savepoints and of changes made behind the log's back.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fields of a record by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(pub(crate) Map<String, Value>);

/// A field that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}`: {source}")]
pub struct FieldError {
    /// The field's name.
    pub field: &'static str,
    /// What serde says.
    pub source: serde_json::Error,
}

impl Fields {
    /// No field yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    pub fn set(&mut self, field: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(field.into(), value.into());
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Takes a field out, typed. A missing field reads as `null`, so that an optional field need not be there.
    ///
    /// # Errors
    ///
    /// If the value does not have the form of a `T`.
    pub fn take<T: DeserializeOwned>(&mut self, field: &'static str) -> Result<T, FieldError> {
        let value = self.0.remove(field).unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|source| FieldError { field, source })
    }

    /// Sets every field of another over this one's.
    pub fn overlay(&mut self, other: &Self) {
        for (field, value) in &other.0 {
            self.0.insert(field.clone(), value.clone());
        }
    }

    /// All fields by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(field, value)| (field.as_str(), value))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
