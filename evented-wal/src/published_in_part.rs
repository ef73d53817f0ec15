//! Why a published table cannot be read completely.

use crate::quoting::quoted;
use crate::table_name::TableName;

/// A publication contains a table, but not all of what a reader requires. The text ends with the step to take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishedInPart {
    /// The publication has a row filter for the table. The server sends an update of a row that leaves the filter as a
    /// delete, and nothing for rows outside of it.
    #[error(
        "the publication {0} has the row filter `{filter}` for {table}, which leaves out changes and turns updates \
             into inserts and deletes: run {1}",
        quoted(publication),
        publish_whole(publication, table)
    )]
    RowFilter {
        /// The publication's name.
        publication: String,
        /// The table's name.
        table: TableName,
        /// The condition of the filter.
        filter: String,
    },
    /// The publication has a column list for the table, without columns that the reader needs.
    #[error(
        "the publication {0} leaves out columns of {table} that are read ({1}): run {2}",
        quoted(publication),
        columns.join(", "),
        publish_whole(publication, table)
    )]
    ColumnList {
        /// The publication's name.
        publication: String,
        /// The table's name.
        table: TableName,
        /// The names of the columns.
        columns: Vec<String>,
    },
    /// The reader needs generated columns, and the server does not send them.
    #[error(
        "the publication {} leaves out generated columns of {table} that are read ({}): {}",
        quoted(publication),
        columns.join(", "),
        publish_generated(publication, table, columns, *publishable)
    )]
    Generated {
        /// The publication's name.
        publication: String,
        /// The table's name.
        table: TableName,
        /// The names of the columns.
        columns: Vec<String>,
        /// Whether this server can publish them: stored columns since PostgreSQL 18.
        publishable: bool,
    },
}

/// The statements that publish the whole table. `SET TABLE` would take every other table out of the publication.
fn publish_whole(publication: &str, table: &TableName) -> String {
    let publication = quoted(publication);
    format!(
        "`ALTER PUBLICATION {publication} DROP TABLE {table}` and `ALTER PUBLICATION {publication} ADD TABLE {table}`"
    )
}

fn publish_generated(publication: &str, table: &TableName, columns: &[String], publishable: bool) -> String {
    if publishable {
        return format!(
            "run `ALTER PUBLICATION {} SET (publish_generated_columns = stored)`, or add them to its column list",
            quoted(publication)
        );
    }
    let drop: Vec<_> =
        columns.iter().map(|column| format!("ALTER COLUMN {} DROP EXPRESSION", quoted(column))).collect();
    format!(
        "this server cannot publish them. Leave them out of the struct, or run `ALTER TABLE {table} {}` and set them by \
         a trigger",
        drop.join(", ")
    )
}
