//! Builds the statements over many records at once.

use evented_core::KeyValue;

use crate::model::ModelOn;
use crate::sql::{SqlTypes, Statement, Value};
use crate::statements::events::head_columns;
use crate::statements::rows::override_key;

/// Locks rows in the order of their keys, so that two batches cannot deadlock.
pub(crate) fn lock_rows<'q, DB: SqlTypes, M: ModelOn<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT 1 FROM ");
    statement.table::<M>().sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" IN (");
    push_keys(&mut statement, keys);
    statement.sql(") ORDER BY ").identifier(M::KEY_COLUMN).sql(" FOR UPDATE");
    statement
}

/// Reads rows with the heads of their logs, as [`current`](super::current) does for one row.
pub(crate) fn current_rows<'q, DB: SqlTypes, M: ModelOn<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    // For a log with shards, this is the view over them.
    let table = M::whole_log();
    let mut statement = Statement::new("SELECT ");
    statement.sql(head_columns(table)).sql(", ").sql(DB::ROW_VERSION_SQL).sql(", ").columns("t.", M::COLUMNS);
    statement.sql(" FROM ").table::<M>().sql(" t INNER JOIN LATERAL (SELECT * FROM ").log(table.name);
    statement.sql(" l WHERE l.record_id = t.").identifier(M::KEY_COLUMN).and_schema("l", table);
    statement
        .sql(" ORDER BY l.revision DESC LIMIT 1) e ON true WHERE t.")
        .identifier(M::KEY_COLUMN)
        .sql(" IN (");
    push_keys(&mut statement, keys);
    statement.sql(")");
    statement
}

/// Inserts rows, and returns them as the database stores them.
pub(crate) fn insert_many<'q, DB: SqlTypes, M: ModelOn<DB>>(
    rows: &'q [(KeyValue, &'q M)],
) -> Statement<'q, DB> {
    let mut statement = insert_many_plain(rows);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Adds `INSERT INTO table (columns)` with the key's column, and the fragment before the values.
pub(crate) fn insert_from<'q, DB: SqlTypes, M: ModelOn<DB>>() -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.table::<M>().sql(" (").identifier(M::KEY_COLUMN);
    for column in M::WRITTEN {
        statement.sql(", ").identifier(column);
    }
    statement.sql(")").sql(override_key::<DB, M>());
    statement
}

/// Inserts rows, with their keys.
pub(crate) fn insert_many_plain<'q, DB: SqlTypes, M: ModelOn<DB>>(
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
pub(crate) fn update_many<'q, DB: SqlTypes, M: ModelOn<DB>>(
    rows: &'q [(KeyValue, &'q M)],
    columns: &[usize],
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE ");
    statement.table::<M>().sql(" t SET ");
    for (nth, index) in columns.iter().enumerate() {
        statement.sql(if nth == 0 { "" } else { ", " });
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

/// Deletes rows, and returns them as they were.
pub(crate) fn remove_many<'q, DB: SqlTypes, M: ModelOn<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = remove_many_plain::<DB, M>(keys);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Deletes rows.
pub(crate) fn remove_many_plain<'q, DB: SqlTypes, M: ModelOn<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.table::<M>().sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" IN (");
    push_keys(&mut statement, keys);
    statement.sql(")");
    statement
}

fn push_keys<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, keys: &'q [KeyValue]) {
    for (index, key) in keys.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).value(Value::from(key));
    }
}

/// The numbers of rows that one statement may write. Large portions save round trips. There are few different sizes,
/// because each size is a statement text of its own that stays prepared.
const SIZES: [usize; 6] = [LARGEST_PORTION, 256, 64, 16, 4, 1];
/// The maximum number of rows that one statement writes.
pub(crate) const LARGEST_PORTION: usize = 1024;

/// Splits items with `width` binds each into portions that fit into one statement.
pub(crate) fn portions<DB: SqlTypes, T>(items: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let fits = |size: &usize| *size <= rest.len() && (*size == 1 || *size * width <= DB::MAX_BINDS);
        let size = SIZES.into_iter().find(fits)?;
        let (portion, others) = rest.split_at(size);
        rest = others;
        Some(portion)
    })
}
