//! Asks SQLite about a model's table.

use diesel::QueryResult;
use diesel::sqlite::Sqlite;

use crate::exec::Executor;
use crate::model::ModelOn;
use crate::sql::Statement;
use crate::statements::TextRow;

/// Why keys that differ can be equal.
pub(super) async fn inexact_key<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
) -> QueryResult<Option<String>> {
    let (schema, table) = table_name::<M>();
    let mut statement = Statement::new(
        "SELECT 'the column `' || x.name || '` has the collation ' || x.coll FROM pragma_index_list(",
    );
    statement.value(table.as_str()).sql(", ").value(schema.as_str());
    statement.sql(") l JOIN pragma_index_xinfo(l.name, ").value(schema.as_str());
    statement.sql(") x WHERE l.\"unique\" AND x.key AND x.coll <> 'BINARY' AND x.name IN (");
    for (index, column) in M::KEY_COLUMNS.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).value(*column);
    }
    statement.sql(")");
    let reasons = executor.load::<TextRow>(statement).await?;
    Ok(reasons.into_iter().find_map(|reason| reason.0))
}

/// The columns of a unique constraint or index.
pub(super) async fn columns_of_constraint<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    name: &str,
) -> QueryResult<Vec<Option<String>>> {
    let (schema, table) = table_name::<M>();
    let mut statement = Statement::new("SELECT x.name FROM pragma_index_list(");
    statement.value(table.as_str()).sql(", ").value(schema.as_str());
    statement.sql(") l JOIN pragma_index_info(l.name, ").value(schema.as_str());
    statement.sql(") x WHERE l.\"unique\" AND NOT l.partial AND l.name = ").value(name);
    statement.sql(" ORDER BY x.seqno");
    let columns = executor.load::<TextRow>(statement).await?;
    Ok(columns.into_iter().map(|column| column.0).collect())
}

/// Returns the schema and the name of the model's table as texts, which the functions of SQLite want.
fn table_name<M: ModelOn<Sqlite>>() -> (String, String) {
    let mut statement: Statement<'_, Sqlite> = Statement::new("");
    statement.table::<M>();
    let sql = diesel::debug_query::<Sqlite, _>(&statement).to_string();
    // Diesel writes each name in backticks, and a backtick in a name twice.
    let quoted = sql.split(" -- binds").next().unwrap_or_default().trim();
    let unquoted = |name: &str| name.trim_matches('`').replace("``", "`");
    match quoted.split_once("`.`") {
        Some((schema, table)) => (unquoted(schema), unquoted(table)),
        None => ("main".to_owned(), unquoted(quoted)),
    }
}
