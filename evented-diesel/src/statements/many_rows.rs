//! Builds the statements over many records at once.

use evented_core::KeyValue;

use crate::model::{Model, ModelOn};
use crate::sql::{Database, SqlTypes, Statement};
use crate::statements::key_columns::{
    has_key_of_log, push_is_record, push_key, push_key_columns, push_record_of,
};
use crate::statements::row_lock::RowLock;
use crate::statements::rows::{override_key, select_current};

/// Locks rows in the order of their keys, so that two batches cannot deadlock.
pub(crate) fn lock_rows<'q, DB: SqlTypes, M: ModelOn<DB>>(
    keys: &'q [KeyValue],
    lock: RowLock,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT 1 FROM ");
    statement.table::<M>().sql(" t WHERE ");
    push_is_among::<DB, M>(&mut statement, keys);
    statement.sql(" ORDER BY ");
    push_key_columns::<DB, M>(&mut statement, "t.");
    statement.sql(lock.sql(DB::DATABASE));
    statement
}

/// Reads rows with the heads of their logs, as [`current`](super::current) does for one row.
pub(crate) fn current_rows<'q, DB: SqlTypes, M: ModelOn<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    // For a log with shards, this is the view over them.
    let table = M::whole_log();
    let mut statement = select_current::<DB, M>(table);
    statement.sql(" FROM ").table::<M>().sql(" t INNER JOIN ");
    push_last_event::<DB, M>(&mut statement);
    statement.sql(" WHERE ");
    push_is_among::<DB, M>(&mut statement, keys);
    statement
}

/// Adds the last event of each row, called `e`, as a part of a join with the rows, called `t`.
pub(super) fn push_last_event<DB: SqlTypes, M: Model>(statement: &mut Statement<'_, DB>) {
    let table = M::whole_log();
    match DB::DATABASE {
        Database::Postgres => {
            statement.sql("LATERAL (SELECT * FROM ").log(table.name).sql(" l WHERE l.record_id = ");
            push_record_of::<DB, M>(statement, "t.");
            statement.and_schema("l", table).sql(" ORDER BY l.revision DESC LIMIT 1) e ON true");
        }
        // SQLite has no LATERAL.
        Database::Sqlite => {
            statement.log(table.name).sql(" e ON e.record_id = ");
            push_record_of::<DB, M>(statement, "t.");
            statement.and_schema("e", table).sql(" AND e.revision = (SELECT max(l.revision) FROM ");
            statement.log(table.name).sql(" l WHERE l.record_id = ");
            push_record_of::<DB, M>(statement, "t.");
            statement.and_schema("l", table).sql(")");
        }
    }
}

/// Reads the rows of several records.
pub(crate) fn rows_of<'q, DB: SqlTypes, M: ModelOn<DB>>(keys: &'q [KeyValue]) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    push_is_among::<DB, M>(&mut statement, keys);
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
    statement.table::<M>().sql(" (");
    push_key_columns::<DB, M>(&mut statement, "");
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
        push_key::<DB, M>(&mut statement, key);
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
    let mut statement = update_from::<DB, M>(columns);
    for (index, (key, row)) in rows.iter().enumerate() {
        statement.sql(if index == 0 { "VALUES (" } else { "), (" });
        push_key::<DB, M>(&mut statement, key);
        for column in columns {
            statement.sql(", ").field(*row, *column);
        }
    }
    statement.sql(")");
    push_update::<DB, M>(&mut statement, columns);
    statement
}

/// Begins an update of several rows, up to the list of their keys and values, which follows as a query.
pub(crate) fn update_from<'q, DB: SqlTypes, M: ModelOn<DB>>(columns: &[usize]) -> Statement<'q, DB> {
    let mut statement = Statement::new("WITH v (");
    for (nth, (_, part)) in M::KEY_COLUMNS.iter().zip(PARTS).enumerate() {
        statement.sql(if nth == 0 { "" } else { ", " }).identifier(part);
    }
    for index in columns {
        statement.sql(", ").identifier(M::WRITTEN[*index]);
    }
    statement.sql(") AS (");
    statement
}

/// Adds the update by the list that [`update_from`] began.
pub(crate) fn push_update<DB: SqlTypes, M: ModelOn<DB>>(
    statement: &mut Statement<'_, DB>,
    columns: &[usize],
) {
    statement.sql(") UPDATE ").table::<M>().sql(" AS t SET ");
    for (nth, index) in columns.iter().enumerate() {
        statement.sql(if nth == 0 { "" } else { ", " }).identifier(M::WRITTEN[*index]);
        statement.sql(" = v.").identifier(M::WRITTEN[*index]);
    }
    statement.sql(" FROM v WHERE ");
    for (nth, (column, part)) in M::KEY_COLUMNS.iter().zip(PARTS).enumerate() {
        statement.sql(if nth == 0 { "t." } else { " AND t." }).identifier(column);
        statement.sql(" = v.").identifier(part);
    }
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
    statement.table::<M>().sql(" AS t WHERE ");
    push_is_among::<DB, M>(&mut statement, keys);
    statement
}

/// The names of a key's columns in a list of values, which no column of a model has.
const PARTS: [&str; 4] = ["evented key 1", "evented key 2", "evented key 3", "evented key 4"];

/// Adds a condition that selects the rows, called `t`, of these records.
pub(super) fn push_is_among<'q, DB: SqlTypes, M: ModelOn<DB>>(
    statement: &mut Statement<'q, DB>,
    keys: &'q [KeyValue],
) {
    if has_key_of_log::<M>() {
        push_key_columns::<DB, M>(statement, "t.");
        statement.among(keys);
        return;
    }
    if M::KEY_COLUMNS.len() == 1 {
        push_key_columns::<DB, M>(statement, "t.");
        statement.sql(" IN (");
        for (index, key) in keys.iter().enumerate() {
            statement.sql(if index == 0 { "" } else { ", " });
            push_key::<DB, M>(statement, key);
        }
        statement.sql(")");
        return;
    }
    // On SQLite, `(a, b) IN (VALUES …)` scans the whole table, and a condition for each key uses the index of both.
    for (index, key) in keys.iter().enumerate() {
        statement.sql(if index == 0 { "((" } else { ") OR (" });
        push_is_record::<DB, M>(statement, "t.", key);
    }
    statement.sql("))");
}

/// The numbers of rows that one statement may write. Large portions save round trips. There are few different sizes,
/// because each size is a statement text of its own that stays prepared.
const SIZES: [usize; 6] = [LARGEST_PORTION, 256, 64, 16, 4, 1];
/// The maximum number of rows that one statement writes.
pub(crate) const LARGEST_PORTION: usize = 1024;

/// The maximum number of keys of several columns in one statement: each is a condition of its own, and SQLite limits the
/// depth of an expression to 1,000.
const LARGEST_PORTION_OF_PAIRS: usize = 256;

/// Splits items with `width` binds each into portions that fit into one statement.
pub(crate) fn portions<DB: SqlTypes, T>(items: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    portions_up_to::<DB, T>(items, width, LARGEST_PORTION, false)
}

/// Splits keys into portions that one statement selects.
pub(crate) fn key_portions<DB: SqlTypes, M: Model>(keys: &[KeyValue]) -> impl Iterator<Item = &[KeyValue]> {
    let parts = M::KEY_PARTS.len();
    let largest = if parts > 1 { LARGEST_PORTION_OF_PAIRS } else { LARGEST_PORTION };
    // An array has one text for every number of keys.
    let any_size = DB::DATABASE == Database::Postgres && has_key_of_log::<M>();
    portions_up_to::<DB, KeyValue>(keys, parts, largest, any_size)
}

/// `any_size` says that the text of the statement does not depend on the size of the portion.
fn portions_up_to<DB: SqlTypes, T>(
    items: &[T],
    width: usize,
    largest: usize,
    any_size: bool,
) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let fits = |size: &usize| {
            *size <= rest.len() && *size <= largest && (*size == 1 || *size * width <= DB::MAX_BINDS)
        };
        let size = if any_size {
            Some(rest.len().min(largest)).filter(|size| *size > 0)?
        } else {
            SIZES.into_iter().find(fits)?
        };
        let (portion, others) = rest.split_at(size);
        rest = others;
        Some(portion)
    })
}
