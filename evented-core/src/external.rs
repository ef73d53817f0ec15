//! A change that nobody recorded, found and put into the log.

use serde::{Deserialize, Serialize};

use crate::{Evented, FieldError, Fields};

/// The difference between what the log knew and what the row held: the payload of action `external`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct External {
    /// What the log had: the differing fields, or nothing if the log did not know the record (or knew it deleted).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Fields>,
    /// What the row held: the differing fields (all of them where `from` is nothing), or nothing if the row was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Fields>,
}

impl External {
    /// What it takes to lead from the log's state to the row's. `None` where they agree.
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
                for (index, field) in M::FIELDS.iter().enumerate() {
                    let (old, new) = (log.field(index)?, row.field(index)?);
                    if old != new {
                        from.set(*field, old);
                        to.set(*field, new);
                    }
                }
                let differs = !to.is_empty();
                Ok(differs.then_some(Self { from: Some(from), to: Some(to) }))
            }
        }
    }

    /// The names of the differing fields.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let fields = self.to.as_ref().or(self.from.as_ref());
        fields.map(|fields| fields.iter().map(|(field, _)| field.to_owned()).collect()).unwrap_or_default()
    }

    /// The state after this event.
    ///
    /// # Errors
    ///
    /// A field that does not have the form of its type any more.
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

fn all<M: Evented>(state: &M) -> Result<Fields, FieldError> {
    let mut fields = Fields::new();
    for (index, field) in M::FIELDS.iter().enumerate() {
        fields.set(*field, state.field(index)?);
    }
    Ok(fields)
}

impl Fields {
    /// Every recorded field of a state: the plain form of a savepoint.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    pub fn of<M: Evented>(state: &M) -> Result<Self, FieldError> {
        all(state)
    }
}
