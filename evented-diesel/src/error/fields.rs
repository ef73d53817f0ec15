//! Reports an error by the fields of a model.

use evented_core::ValidationErrors;

use super::Error;

/// The names of a model's fields by their columns. Every model implements it.
pub trait FieldNames {
    /// Returns the name of the field that has this column.
    fn field_of(column: &str) -> Option<&'static str>;
}

impl Error {
    /// Returns the errors by field of `M`: the validation errors, or those that a violated constraint stands for. A
    /// unique value that another record has is then an error of its field, as a check of the model would report it.
    ///
    /// `None` if the error is of another kind, or if the database does not report the columns of the constraint.
    #[must_use]
    pub fn field_errors<M: FieldNames>(&self) -> Option<ValidationErrors> {
        match self.innermost() {
            Self::Invalid { errors, .. } => Some(errors.clone()),
            Self::Constraint { kind, columns, .. } if !columns.is_empty() => {
                let mut errors = ValidationErrors::none();
                for column in columns {
                    errors.add(M::field_of(column).unwrap_or(column), kind.of_field(columns.len() > 1));
                }
                Some(errors)
            }
            _ => None,
        }
    }
}
