//! Reads what the databases report about a violated constraint.

use diesel::result::DatabaseErrorInformation;

/// Returns the constraint's name and columns, as far as the database reports them.
///
/// PostgreSQL reports the name, and the columns in the details: `Key (org_id, name)=(…) already exists.` SQLite reports
/// the columns in the message: `UNIQUE constraint failed: items.org_id, items.name`.
pub(super) fn describe(information: &dyn DatabaseErrorInformation) -> (String, Vec<String>) {
    let name = information.constraint_name().unwrap_or_default().to_owned();
    let columns = match (information.details(), information.column_name()) {
        (_, Some(column)) => vec![column.to_owned()],
        (Some(details), None) => between_brackets(details),
        (None, None) => after_colon(information.message()),
    };
    (name, columns)
}

/// Formats the known name and columns of the constraint for an error text.
pub(super) fn target(name: &str, columns: &[String]) -> String {
    let name = if name.is_empty() { String::new() } else { format!(" `{name}`") };
    let columns = if columns.is_empty() { String::new() } else { format!(" on {}", columns.join(", ")) };
    name + &columns
}

fn between_brackets(details: &str) -> Vec<String> {
    let Some((_, rest)) = details.split_once('(') else { return Vec::new() };
    let Some((columns, _)) = rest.split_once(")=") else { return Vec::new() };
    columns.split(", ").map(|column| column.trim_matches('"').to_owned()).collect()
}

fn after_colon(message: &str) -> Vec<String> {
    let Some((_, columns)) = message.split_once("failed: ") else { return Vec::new() };
    columns.split(", ").map(|column| column.rsplit('.').next().unwrap_or(column).to_owned()).collect()
}

/// The kind of a violated constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConstraintKind {
    /// A unique index or a primary key.
    Unique,
    /// A foreign key.
    ForeignKey,
    /// A `NOT NULL` column.
    NotNull,
    /// A `CHECK` constraint.
    Check,
}

impl ConstraintKind {
    /// The error of a field, as the end of a sentence that starts with the field's name. `several` says whether the
    /// constraint is on several columns together.
    pub(super) fn of_field(self, several: bool) -> &'static str {
        match (self, several) {
            (Self::Unique, false) => "is taken already",
            (Self::Unique, true) => "is taken already, together with the other fields",
            (Self::ForeignKey, _) => "refers to a record that does not exist, or is referred to",
            (Self::NotNull, _) => "is missing",
            (Self::Check, _) => "is not allowed",
        }
    }
}

impl std::fmt::Display for ConstraintKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unique => "violates the unique constraint",
            Self::ForeignKey => "violates the foreign key",
            Self::NotNull => "violates the not-null constraint",
            Self::Check => "violates the check constraint",
        })
    }
}
