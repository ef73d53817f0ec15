//! The faults of an input, by field.

use std::fmt;

/// Why an input was refused: one or more faults.
///
/// ```
/// use evented_core::Invalid;
///
/// let mut faults = Invalid::none();
/// faults.add("name", "is empty");
/// faults.add("value", "is negative");
/// assert_eq!(faults.to_string(), "name is empty; value is negative");
/// assert!(faults.into_result().is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalid {
    faults: Vec<Fault>,
}

/// One fault of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field at fault; `None` for a fault of the whole.
    pub field: Option<String>,
    /// What is wrong, as the end of a sentence that begins with the field.
    pub message: String,
}

impl Invalid {
    /// No fault yet; add some, then ask [`into_result`](Self::into_result).
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A fault of one field.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut invalid = Self::none();
        invalid.add(field, message);
        invalid
    }

    /// A fault of the whole record.
    #[must_use]
    pub fn record(message: impl Into<String>) -> Self {
        Self { faults: vec![Fault { field: None, message: message.into() }] }
    }

    /// Adds a fault of a field.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault { field: Some(field.into()), message: message.into() });
    }

    /// Adds the faults of another.
    pub fn merge(&mut self, other: Self) {
        self.faults.extend(other.faults);
    }

    /// All faults, in the order they were found.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// `Ok` if there is no fault.
    ///
    /// # Errors
    ///
    /// Itself, if there is one.
    pub fn into_result(self) -> Result<(), Self> {
        if self.faults.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            match &fault.field {
                Some(field) => write!(f, "{field} {}", fault.message)?,
                None => f.write_str(&fault.message)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
