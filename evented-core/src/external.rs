//! External changes: changes of a row that no event recorded, detected later and added to the log.

use serde::{Deserialize, Serialize};

use crate::{Evented, FieldError, Fields};

/// The difference between the log's state and the row: the payload of the action `external`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct External {
    /// The differing fields in the log's state. `None` if the record did not exist in the log, or was deleted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Fields>,
    /// The differing fields in the row, or all of its fields if `from` is `None`. `None` if the row did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Fields>,
}

impl External {
    /// The change that leads from the log's state to the row. `None` if they agree.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    pub fn between<M: Evented>(log: Option<&M>, row: Option<&M>) -> Result<Option<Self>, FieldError> {
        match (log, row) {
            (None, None) => Ok(None),
            (Some(log), None) => Ok(Some(Self { from: Some(all(log)?), to: None })),
            (None, Some(row)) => Ok(Some(Self { from: None, to: Some(all(row)?) })),
            (Some(log), Some(row)) => {
                let (mut from, mut to) = (Fields::new(), Fields::new());
                let differing = differing(log, row);
                for (index, field) in M::FIELDS.iter().enumerate() {
                    if differing.as_ref().is_some_and(|differing| !differing.contains(&index)) {
                        continue;
                    }
                    let (old, new) = (log.field(index)?, row.field(index)?);
                    if old != new || differing.is_some() {
                        from.set(*field, old);
                        to.set(*field, new);
                    }
                }
                let differs = !to.is_empty();
                Ok(differs.then_some(Self { from: Some(from), to: Some(to) }))
            }
        }
    }

    /// The names of the fields that differ. If one side is missing, the names of all fields.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let fields = self.to.as_ref().or(self.from.as_ref());
        fields.map(|fields| fields.iter().map(|(field, _)| field.to_owned()).collect()).unwrap_or_default()
    }

    /// The state after this event; `None` if the row did not exist. `state` is the state before the event.
    ///
    /// # Errors
    ///
    /// A field that no longer decodes into its type.
    pub fn apply<M: Evented>(&self, key: &M::Key, state: Option<&M>) -> Result<Option<M>, FieldError> {
        let Some(to) = &self.to else { return Ok(None) };
        let mut fields = match (state, &self.from) {
            (Some(state), Some(_)) => all(state)?,
            _ => Fields::new(),
        };
        fields.overlay(to);
        M::from_fields(key.clone(), &mut fields).map(Some)
    }
}

/// The indices of the fields that differ between two states by their digests: whatever the spelling of numbers and the
/// order of sets. `None` if a state has no digest.
pub(crate) fn differing<M: Evented>(before: &M, after: &M) -> Option<Vec<usize>> {
    let (before, after) = (before.digests().ok()?, after.digests().ok()?);
    Some(before.differing(&after))
}

fn all<M: Evented>(state: &M) -> Result<Fields, FieldError> {
    let mut fields = Fields::new();
    for (index, field) in M::FIELDS.iter().enumerate() {
        fields.set(*field, state.field(index)?);
    }
    Ok(fields)
}

impl Fields {
    /// All recorded fields of a state: the default form of a savepoint.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    pub fn of<M: Evented>(state: &M) -> Result<Self, FieldError> {
        all(state)
    }
}
