//! Validation errors of an input, by field.

use std::fmt;

/// Why an input was refused: one or more errors.
///
/// ```
/// use evented_core::ValidationErrors;
///
/// let mut errors = ValidationErrors::none();
/// errors.add("name", "is empty");
/// errors.add("value", "is negative");
/// assert_eq!(errors.to_string(), "name is empty; value is negative");
/// assert!(errors.into_result().is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValidationErrors {
    errors: Vec<ValidationError>,
}

/// One error of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationError {
    /// The field with the error; `None` if the error concerns the whole record.
    pub field: Option<String>,
    /// What is wrong, as the end of a sentence that starts with the field's name: `is empty`.
    pub message: String,
}

impl ValidationErrors {
    /// Creates an empty list. Add errors to it, then call [`into_result`](Self::into_result).
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Creates a list with an error of one field.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut invalid = Self::none();
        invalid.add(field, message);
        invalid
    }

    /// Creates a list with an error of the whole record.
    #[must_use]
    pub fn record(message: impl Into<String>) -> Self {
        Self { errors: vec![ValidationError { field: None, message: message.into() }] }
    }

    /// Adds an error of a field.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(ValidationError { field: Some(field.into()), message: message.into() });
    }

    /// Adds all errors of another list.
    pub fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
    }

    /// All errors, in the order in which they were added.
    #[must_use]
    pub fn errors(&self) -> &[ValidationError] {
        &self.errors
    }

    /// `Ok` if there is no error.
    ///
    /// # Errors
    ///
    /// This list, if it has errors.
    pub fn into_result(self) -> Result<(), Self> {
        if self.errors.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            match &error.field {
                Some(field) => write!(f, "{field} {}", error.message)?,
                None => f.write_str(&error.message)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ValidationErrors {}
