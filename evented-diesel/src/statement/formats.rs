//! Statements about the logs themselves.

use super::Statement;
use crate::backend::Dialect;
use crate::migrations::Flavour;

/// How many tables or views have this name: none or one.
pub(crate) fn table_exists<'q, DB: Dialect>(schema: Option<&'q str>, table: &'q str) -> Statement<'q, DB> {
    match DB::FLAVOUR {
        Flavour::Postgres => {
            let mut statement = Statement::new("SELECT count(*) FROM pg_class c WHERE c.relname = ");
            statement.value(table).sql(" AND ");
            match schema {
                Some(schema) => statement
                    .sql("c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = ")
                    .value(schema)
                    .sql(")"),
                None => statement.sql("pg_table_is_visible(c.oid)"),
            };
            statement
        }
        Flavour::Sqlite => {
            let mut statement = Statement::new("SELECT count(*) FROM ");
            if let Some(schema) = schema {
                statement.identifier(schema).sql(".");
            }
            statement.sql("sqlite_master WHERE name = ").value(table);
            statement
        }
    }
}

/// The form that a log is said to have.
pub(crate) fn format_of<'q, DB: Dialect>(
    schema: Option<&'q str>,
    formats: &'q str,
    log: &'q str,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT CAST(f.format AS BIGINT) FROM ");
    if let Some(schema) = schema {
        statement.identifier(schema).sql(".");
    }
    statement.identifier(formats).sql(" f WHERE f.log = ").value(log);
    statement
}
