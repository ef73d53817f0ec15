//! The statements of derived tables: the rows of some keys are computed, compared and written.

use std::collections::BTreeSet;

use evented_core::KeyValue;
use evented_diesel::spi::{Database, SqlTypes, Statement, stable_hash};

use crate::derived_table::Table;

/// How many rows one statement computes.
pub(crate) const KEYS_PER_STATEMENT: usize = 256;

/// Adds the `SELECT` of a derived table for these keys.
fn push_select<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, table: &'q Table, keys: &'q [KeyValue]) {
    for (index, part) in table.select.iter().enumerate() {
        if index > 0 {
            statement.among(keys);
        }
        statement.sql(part);
    }
    // The text may end in a comment.
    statement.sql("\n");
}

/// Returns the statements that compute the rows of these keys: rows that differ are written, rows that are no more are
/// deleted. At least one key.
pub(crate) fn refresh<'q, DB: SqlTypes>(table: &'q Table, keys: &'q [KeyValue]) -> Vec<Statement<'q, DB>> {
    match DB::DATABASE {
        // One statement, so that the SELECT runs once.
        Database::Postgres => {
            let mut statement = Statement::new("WITH q AS (");
            push_select(&mut statement, table, keys);
            statement.sql("), gone AS (");
            push_delete(&mut statement, table, keys);
            statement.sql("SELECT 1 FROM q WHERE q.").identifier(table.key).sql(" = t.");
            statement.identifier(table.key).sql(")) ");
            push_upsert(&mut statement, table);
            statement.sql("q");
            push_on_conflict(&mut statement, table);
            vec![statement]
        }
        Database::Sqlite => {
            let mut delete = Statement::new("");
            push_delete(&mut delete, table, keys);
            delete.sql("SELECT 1 FROM (");
            push_select(&mut delete, table, keys);
            delete.sql(") q WHERE q.").identifier(table.key).sql(" = t.").identifier(table.key).sql(")");
            let mut upsert = Statement::new("");
            push_upsert(&mut upsert, table);
            upsert.sql("(");
            push_select(&mut upsert, table, keys);
            upsert.sql(") q");
            push_on_conflict(&mut upsert, table);
            vec![delete, upsert]
        }
    }
}

/// How many locks the rows of a derived table share.
const LOCKS_OF_TABLE: u64 = 1_024;

/// Returns the statements that lock the rows of these keys until the end of the transaction, in one order. On SQLite there
/// is one writer at a time, and none is needed.
///
/// If `waits` is not set, a statement returns whether its lock was free.
///
/// The rows of a table share some locks, so that a batch that computes many rows does not fill the server's table of locks.
pub(crate) fn lock_rows<'q, DB: SqlTypes>(
    table: &'q Table,
    keys: &[KeyValue],
    waits: bool,
) -> Vec<Statement<'q, DB>> {
    if DB::DATABASE == Database::Sqlite {
        return Vec::new();
    }
    let hash = |key: &KeyValue| stable_hash(key.to_string().as_bytes()) % LOCKS_OF_TABLE;
    lock_numbers(table, keys.iter().map(hash).collect(), waits)
}

/// Returns the statements that lock all rows of a derived table.
pub(crate) fn lock_all_rows<'q, DB: SqlTypes>(table: &'q Table) -> Vec<Statement<'q, DB>> {
    if DB::DATABASE == Database::Sqlite {
        return Vec::new();
    }
    lock_numbers(table, (0..LOCKS_OF_TABLE).collect(), true)
}

fn lock_numbers<'q, DB: SqlTypes>(
    table: &'q Table,
    numbers: BTreeSet<u64>,
    waits: bool,
) -> Vec<Statement<'q, DB>> {
    let lock = |number: u64| {
        let mut statement = Statement::new(if waits {
            "SELECT true FROM pg_advisory_xact_lock("
        } else {
            "SELECT pg_try_advisory_xact_lock("
        });
        // The upper half is the table, so that tables of one name in two schemas have locks of their own.
        statement.sql("(CAST(CAST(").value(table.quoted.as_str());
        statement.sql(" AS regclass) AS oid)::bigint << 32) | ").value(number.cast_signed()).sql(")");
        statement
    };
    numbers.into_iter().map(lock).collect()
}

/// Adds `DELETE FROM t WHERE key among keys AND NOT EXISTS (`.
fn push_delete<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, table: &'q Table, keys: &'q [KeyValue]) {
    statement.sql("DELETE FROM ").identifier(table.name).sql(" AS t WHERE t.").identifier(table.key);
    statement.among(keys).sql(" AND NOT EXISTS (");
}

/// Adds `INSERT INTO t (key, …) SELECT q.key, … FROM `.
fn push_upsert<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, table: &'q Table) {
    statement.sql("INSERT INTO ").identifier(table.name).sql(" AS t (").identifier(table.key);
    for column in &table.columns {
        statement.sql(", ").identifier(column);
    }
    statement.sql(") SELECT q.").identifier(table.key);
    for column in &table.columns {
        statement.sql(", q.").identifier(column);
    }
    statement.sql(" FROM ");
}

/// Adds what is done with a row that exists: it is written if it differs.
fn push_on_conflict<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, table: &'q Table) {
    // SQLite needs a WHERE before ON CONFLICT, because ON could belong to a join.
    statement.sql(" WHERE true ON CONFLICT (").identifier(table.key).sql(") DO ");
    if table.columns.is_empty() {
        statement.sql("NOTHING");
        return;
    }
    for (index, column) in table.columns.iter().enumerate() {
        statement.sql(if index == 0 { "UPDATE SET " } else { ", " }).identifier(column);
        statement.sql(" = excluded.").identifier(column);
    }
    let differs = match DB::DATABASE {
        Database::Postgres => " IS DISTINCT FROM excluded.",
        Database::Sqlite => " IS NOT excluded.",
    };
    for (index, column) in table.columns.iter().enumerate() {
        statement.sql(if index == 0 { " WHERE t." } else { " OR t." }).identifier(column);
        statement.sql(differs).identifier(column);
    }
}

/// Adds the `SELECT` of a derived table for all keys: `IN ({keys})` becomes a condition that every key meets.
fn push_whole<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, table: &'q Table) {
    for (index, part) in table.select.iter().enumerate() {
        if index > 0 {
            statement.sql(" IS NOT NULL");
        }
        statement.sql(part);
    }
    // The text may end in a comment.
    statement.sql("\n");
}

/// Returns the statements that compute all rows: one that deletes those that are no more, and one that writes those that
/// differ.
pub(crate) fn rebuild_all<'q, DB: SqlTypes>(table: &'q Table) -> [Statement<'q, DB>; 2] {
    let mut delete = Statement::new("DELETE FROM ");
    delete.identifier(table.name).sql(" AS t WHERE NOT EXISTS (SELECT 1 FROM (");
    push_whole(&mut delete, table);
    delete.sql(") q WHERE q.").identifier(table.key).sql(" = t.").identifier(table.key).sql(")");
    let mut upsert = Statement::new("");
    push_upsert(&mut upsert, table);
    upsert.sql("(");
    push_whole(&mut upsert, table);
    upsert.sql(") q");
    push_on_conflict(&mut upsert, table);
    [delete, upsert]
}

/// Reads the rows of a derived table that differ from what its `SELECT` returns, at most 1,000: the key as text, and how
/// the row differs.
pub(crate) fn compare<'q, DB: SqlTypes>(table: &'q Table) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    push_key_text(&mut statement, "q.", table);
    statement
        .sql(", CASE WHEN t.")
        .identifier(table.key)
        .sql(" IS NULL THEN 'missing' ELSE 'differs' END FROM (");
    push_whole(&mut statement, table);
    statement.sql(") q LEFT JOIN ").identifier(table.name).sql(" t ON t.").identifier(table.key);
    statement.sql(" = q.").identifier(table.key).sql(" WHERE t.").identifier(table.key).sql(" IS NULL");
    let differs = match DB::DATABASE {
        Database::Postgres => " IS DISTINCT FROM q.",
        Database::Sqlite => " IS NOT q.",
    };
    for column in &table.columns {
        statement.sql(" OR t.").identifier(column).sql(differs).identifier(column);
    }
    statement.sql(" UNION ALL SELECT ");
    push_key_text(&mut statement, "t.", table);
    statement.sql(", 'extra' FROM ").identifier(table.name).sql(" t WHERE NOT EXISTS (SELECT 1 FROM (");
    push_whole(&mut statement, table);
    statement
        .sql(") q WHERE q.")
        .identifier(table.key)
        .sql(" = t.")
        .identifier(table.key)
        .sql(") LIMIT 1000");
    statement
}

/// Adds the key of a row as text.
fn push_key_text<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, row: &'static str, table: &'q Table) {
    match DB::DATABASE {
        Database::Postgres => {
            statement.sql("CAST(").sql(row).identifier(table.key).sql(" AS TEXT)");
        }
        // A UUID is a blob.
        Database::Sqlite => {
            statement.sql("CASE typeof(").sql(row).identifier(table.key).sql(") WHEN 'blob' THEN lower(hex(");
            statement.sql(row).identifier(table.key).sql(")) ELSE CAST(").sql(row).identifier(table.key);
            statement.sql(" AS TEXT) END");
        }
    }
}
