//! What the databases say of a violated constraint.

use diesel::result::DatabaseErrorInformation;

/// The constraint's name and columns, as far as the database tells them.
///
/// PostgreSQL gives the name, and the columns in the details: `Key (org_id, name)=(…) already exists.` SQLite gives
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

/// What is known of where it is, for a sentence.
pub(super) fn place(name: &str, columns: &[String]) -> String {
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
