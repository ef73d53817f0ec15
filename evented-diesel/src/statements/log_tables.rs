//! Builds the statements about the tables of the logs.

use crate::sql::{Database, SqlTypes, Statement};

/// Counts the tables or views with this name: 0 or 1.
pub(crate) fn table_exists<'q, DB: SqlTypes>(schema: Option<&'q str>, table: &'q str) -> Statement<'q, DB> {
    match DB::DATABASE {
        Database::Postgres => {
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
        Database::Sqlite => {
            let mut statement = Statement::new("SELECT count(*) FROM ");
            if let Some(schema) = schema {
                statement.identifier(schema).sql(".");
            }
            statement.sql("sqlite_master WHERE name = ").value(table);
            statement
        }
    }
}

/// Reads the recorded format version of a log.
pub(crate) fn format_of<'q, DB: SqlTypes>(
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

/// Locks the upgrades of logs in this database until the end of the transaction.
pub(crate) fn lock_upgrades<'q, DB: SqlTypes>() -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT pg_advisory_xact_lock(");
    statement.value(UPGRADES).sql(")");
    statement
}

/// The number of the lock.
const UPGRADES: i64 = i64::from_be_bytes(*b"\0evented");

/// Writes the table of format versions without a change, which takes the write lock of SQLite.
pub(crate) fn touch_formats<'q, DB: SqlTypes>(
    schema: Option<&'q str>,
    formats: &'q str,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE ");
    if let Some(schema) = schema {
        statement.identifier(schema).sql(".");
    }
    statement.identifier(formats).sql(" SET format = format WHERE 0");
    statement
}
