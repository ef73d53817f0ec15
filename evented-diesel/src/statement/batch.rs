//! Statements over many records at once.

use evented_core::KeyValue;

use super::history::head_columns;
use super::row::override_key;
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

/// Inserts rows, and gives them as the database holds them.
pub(crate) fn insert_many<'q, DB: Dialect, M: Rows<DB>>(rows: &'q [(KeyValue, &'q M)]) -> Statement<'q, DB> {
    let mut statement = insert_many_plain(rows);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// `INSERT INTO table (columns)`, with the key's column, and what stands before their values.
pub(crate) fn insert_from<'q, DB: Dialect, M: Rows<DB>>() -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.table::<M>().sql(" (").identifier(M::KEY_COLUMN);
    for column in M::WRITTEN {
        statement.sql(", ").identifier(column);
    }
    statement.sql(")").sql(override_key::<DB, M>());
    statement
}

/// Inserts rows, with their keys.
pub(crate) fn insert_many_plain<'q, DB: Dialect, M: Rows<DB>>(
    rows: &'q [(KeyValue, &'q M)],
) -> Statement<'q, DB> {
    let mut statement = insert_from::<DB, M>();
    for (index, (key, row)) in rows.iter().enumerate() {
        statement.sql(if index == 0 { " VALUES (" } else { "), (" });
        statement.value(key);
        for field in 0..M::WRITTEN.len() {
            statement.sql(", ").field(*row, field);
        }
    }
    statement.sql(")");
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

/// Removes rows, and gives them as they were.
pub(crate) fn remove_many<'q, DB: Dialect, M: Rows<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = remove_many_plain::<DB, M>(keys);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Removes rows.
pub(crate) fn remove_many_plain<'q, DB: Dialect, M: Rows<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.table::<M>().sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" IN (");
    push_keys(&mut statement, keys);
    statement.sql(")");
    statement
}

fn push_keys<'q, DB: Dialect>(statement: &mut Statement<'q, DB>, keys: &'q [KeyValue]) {
    for (index, key) in keys.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).value(Value::from(key));
    }
}

/// How many rows one statement writes. Large portions make the way to the server cheap; few different sizes, since
/// each is a statement text of its own, which is kept prepared.
const SIZES: [usize; 6] = [LARGEST_PORTION, 256, 64, 16, 4, 1];
/// The most rows that one statement writes.
pub(crate) const LARGEST_PORTION: usize = 1024;

/// Cuts items of this many binds each into portions that one statement takes.
pub(crate) fn portions<DB: Dialect, T>(items: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let fits = |size: &usize| *size <= rest.len() && (*size == 1 || *size * width <= DB::MAX_BINDS);
        let size = SIZES.into_iter().find(fits)?;
        let (portion, others) = rest.split_at(size);
        rest = others;
        Some(portion)
    })
}
