//! Statements over many records at once.

use evented_core::KeyValue;

use super::history::head_columns;
use super::row::{push_insert_columns, push_insert_values};
use super::{Statement, Value};
use crate::backend::Dialect;
use crate::model::Rows;

/// Locks rows, in the order of their keys: two batches cannot wait for each other.
pub(crate) fn lock_rows<'q, DB: Dialect, M: Rows<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT 1 FROM ");
    statement.table::<M>().sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" IN (");
    push_keys(&mut statement, keys);
    statement.sql(") ORDER BY ").identifier(M::KEY_COLUMN).sql(" FOR UPDATE");
    statement
}

/// Rows with the heads of their logs, as [`current`](super::current) reads one.
pub(crate) fn current_rows<'q, DB: Dialect, M: Rows<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    // Over shards, the view of them.
    let place = M::places();
    let mut statement = Statement::new("SELECT ");
    statement.sql(head_columns(place)).sql(", ").sql(DB::ROW_VERSION).sql(", ").columns("t.", M::COLUMNS);
    statement.sql(" FROM ").table::<M>().sql(" t INNER JOIN LATERAL (SELECT * FROM ").log(place.table);
    statement.sql(" l WHERE l.record_id = t.").identifier(M::KEY_COLUMN).and_schema("l", place);
    statement
        .sql(" ORDER BY l.revision DESC LIMIT 1) e ON true WHERE t.")
        .identifier(M::KEY_COLUMN)
        .sql(" IN (");
    push_keys(&mut statement, keys);
    statement.sql(")");
    statement
}

/// Inserts rows.
pub(crate) fn insert_many<'q, DB: Dialect, M: Rows<DB>>(rows: &'q [(KeyValue, &'q M)]) -> Statement<'q, DB> {
    let mut statement = Statement::new("");
    push_insert_columns::<DB, M>(&mut statement);
    for (index, (key, row)) in rows.iter().enumerate() {
        statement.sql(if index == 0 { "VALUES (" } else { "), (" });
        push_insert_values(&mut statement, key, *row);
    }
    statement.sql(") RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Writes the same columns of several rows.
pub(crate) fn update_many<'q, DB: Dialect, M: Rows<DB>>(
    rows: &'q [(KeyValue, &'q M)],
    columns: &[usize],
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE ");
    statement.table::<M>().sql(" t SET ");
    for (place, index) in columns.iter().enumerate() {
        statement.sql(if place == 0 { "" } else { ", " });
        statement.identifier(M::WRITTEN[*index]).sql(" = v.").identifier(M::WRITTEN[*index]);
    }
    for (index, (key, row)) in rows.iter().enumerate() {
        statement.sql(if index == 0 { " FROM (VALUES (" } else { "), (" }).value(key);
        for column in columns {
            statement.sql(", ").field(*row, *column);
        }
    }
    statement.sql(")) v (\"evented key\"");
    for index in columns {
        statement.sql(", ").identifier(M::WRITTEN[*index]);
    }
    statement.sql(") WHERE t.").identifier(M::KEY_COLUMN).sql(" = v.\"evented key\" RETURNING ");
    statement.columns("t.", M::COLUMNS);
    statement
}

/// Removes rows.
pub(crate) fn remove_many<'q, DB: Dialect, M: Rows<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.table::<M>().sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" IN (");
    push_keys(&mut statement, keys);
    statement.sql(") RETURNING ").columns("", M::COLUMNS);
    statement
}

fn push_keys<'q, DB: Dialect>(statement: &mut Statement<'q, DB>, keys: &'q [KeyValue]) {
    for (index, key) in keys.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).value(Value::from(key));
    }
}
