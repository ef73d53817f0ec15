//! Names of tables, as the configuration and SQL use them.

use crate::quoting::quoted;

/// The name of a table, with or without its schema. The server looks for a name without a schema in the `search_path` of
/// the connection.
///
/// ```
/// use evented_wal::TableName;
///
/// assert_eq!(TableName::from("items").to_string(), r#""items""#);
/// assert_eq!(TableName::from(("shop", "Odd \"name\"")).to_string(), r#""shop"."Odd ""name""""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName(String);

impl TableName {
    /// Wraps a name that is already quoted for SQL.
    #[doc(hidden)]
    #[must_use]
    pub fn from_sql(sql: String) -> Self {
        Self(sql)
    }

    /// The name, quoted for SQL.
    #[must_use]
    pub fn as_sql(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TableName {
    fn from(table: &str) -> Self {
        Self(quoted(table))
    }
}

impl From<(&str, &str)> for TableName {
    fn from((schema, table): (&str, &str)) -> Self {
        Self(format!("{}.{}", quoted(schema), quoted(table)))
    }
}

/// Displays the name, quoted for SQL.
impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
