//! The difference between two states of a record.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::external::differing;
use crate::{Evented, FieldError};

/// The fields that differ between two states, in the order of the struct.
///
/// It is displayed as `name: "Lamp" → "Desk lamp", value: 3 → 4`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Changeset {
    changes: Vec<FieldChange>,
}

/// A field that differs, with its two values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FieldChange {
    /// The field's name.
    pub field: &'static str,
    /// The value before; `null` if there was no record.
    pub from: Value,
    /// The value after; `null` if there is no longer a record.
    pub to: Value,
}

impl Changeset {
    /// Compares two states of a record. `None` is the state "no record".
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    pub fn between<M: Evented>(before: Option<&M>, after: Option<&M>) -> Result<Self, FieldError> {
        let mut changes = Vec::new();
        let differing = before.zip(after).and_then(|(before, after)| differing(before, after));
        for (index, field) in M::FIELDS.iter().enumerate() {
            if differing.as_ref().is_some_and(|differing| !differing.contains(&index)) {
                continue;
            }
            let from = before.map(|state| state.field(index)).transpose()?.unwrap_or(Value::Null);
            let to = after.map(|state| state.field(index)).transpose()?.unwrap_or(Value::Null);
            if from != to || differing.is_some() {
                changes.push(FieldChange { field, from, to });
            }
        }
        Ok(Self { changes })
    }

    /// The change of one field; `None` if the field does not differ.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&FieldChange> {
        self.changes.iter().find(|change| change.field == field)
    }

    /// Iterates over all fields that differ, in the order of the struct.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldChange> {
        self.changes.iter()
    }

    /// Whether no field differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The number of fields that differ.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }
}

impl<'a> IntoIterator for &'a Changeset {
    type Item = &'a FieldChange;
    type IntoIter = std::slice::Iter<'a, FieldChange>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Changeset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, change) in self.changes.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}: {} → {}", change.field, change.from, change.to)?;
        }
        Ok(())
    }
}
