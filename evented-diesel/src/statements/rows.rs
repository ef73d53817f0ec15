//! Builds the statements that read and write rows of the user's table.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{KeySource, KeyValue};

use crate::model::{Model, ModelOn};
use crate::sql::{EventTable, SqlTypes, Statement, field};
use crate::statements::append::Append;
use crate::statements::events::{HEAD_WIDTH, HeadRow, head_columns};
use crate::statements::key_columns::{push_is_record, push_key, push_key_columns, push_record_of};

/// A row together with the last event of its record.
pub(crate) struct Current<M> {
    pub(crate) head: HeadRow,
    pub(crate) version: String,
    pub(crate) row: M,
}

impl<DB: SqlTypes, M: ModelOn<DB>> QueryableByName<DB> for Current<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            head: HeadRow::read(row, 0)?,
            version: field(row, HEAD_WIDTH, DB::read_text)?,
            row: M::read(row, HEAD_WIDTH + 1)?,
        })
    }
}

/// Begins a statement that selects the columns of [`Current`]: the last event, called `e`, and the row, called `t`, with
/// its version as the database counts it.
pub(super) fn select_current<'q, DB: SqlTypes, M: Model>(log: EventTable) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    let version = if M::IS_VIEW { "''" } else { DB::ROW_VERSION_SQL };
    statement.sql(head_columns(log)).sql(", ").sql(version).sql(", ").columns("t.", M::COLUMNS);
    statement
}

/// Reads the row and the head of its log. This is an inner join, because a left join sorted the whole history.
pub(crate) fn current<DB: SqlTypes, M: ModelOn<DB>>(record: &KeyValue) -> Statement<'_, DB> {
    let table = M::event_table(record);
    let mut statement = select_current::<DB, M>(table);
    statement.sql(" FROM ").table::<M>().sql(" t INNER JOIN ").log(table.name);
    statement.sql(" e ON e.record_id = ");
    push_record_of::<DB, M>(&mut statement, "t.");
    statement.sql(" WHERE ");
    push_is_record::<DB, M>(&mut statement, "t.", record);
    // With the second condition the planner can walk the log's index backwards from the record's last event.
    statement.sql(" AND ").of_record("e", table, record).sql(" ORDER BY e.revision DESC LIMIT 1");
    statement
}

/// A row without an event.
pub(crate) struct RecordRow<M>(pub(crate) M);

impl<DB: SqlTypes, M: ModelOn<DB>> QueryableByName<DB> for RecordRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        M::read(row, 0).map(Self)
    }
}

/// Reads the row of a record.
pub(crate) fn row_of<DB: SqlTypes, M: ModelOn<DB>>(record: &KeyValue) -> Statement<'_, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    push_is_record::<DB, M>(&mut statement, "t.", record);
    statement
}

/// Adds `INSERT INTO table (columns)`, with the key's columns unless the database makes the key.
pub(crate) fn push_insert_columns<'q, DB: SqlTypes, M: ModelOn<DB>>(
    statement: &mut Statement<'q, DB>,
    append: &Append<'_>,
) {
    statement.sql("INSERT INTO ").table::<M>();
    if append.makes_key && M::WRITTEN.is_empty() {
        // There is no column to name.
        return;
    }
    statement.sql(" (");
    if !append.makes_key {
        push_key_columns::<DB, M>(statement, "");
    }
    for (index, column) in M::WRITTEN.iter().enumerate() {
        if index > 0 || !append.makes_key {
            statement.sql(", ");
        }
        statement.identifier(column);
    }
    statement.sql(")").sql(if append.makes_key { "" } else { override_key::<DB, M>() }).sql(" ");
}

/// Adds the values of [`push_insert_columns`].
pub(crate) fn push_insert_values<'q, DB: SqlTypes, M: ModelOn<DB>>(
    statement: &mut Statement<'q, DB>,
    append: &'q Append<'_>,
    row: &'q M,
) {
    if !append.makes_key {
        push_key::<DB, M>(statement, append.record);
    }
    for index in 0..M::WRITTEN.len() {
        if index > 0 || !append.makes_key {
            statement.sql(", ");
        }
        statement.field(row, index);
    }
}

/// Adds `"name" = …, "value" = …` for the columns with these indices.
pub(crate) fn push_set<'q, DB: SqlTypes, M: ModelOn<DB>>(
    statement: &mut Statement<'q, DB>,
    row: &'q M,
    columns: &[usize],
) {
    for (nth, index) in columns.iter().enumerate() {
        if nth > 0 {
            statement.sql(", ");
        }
        statement.identifier(M::WRITTEN[*index]).sql(" = ").field(row, *index);
    }
}

/// Returns the fragment that lets a statement insert a key that the database would otherwise generate.
pub(crate) fn override_key<DB: SqlTypes, M: Model>() -> &'static str {
    if M::KEY_SOURCE == KeySource::Database { DB::OVERRIDE_KEY_SQL } else { "" }
}

/// Inserts a missing row with its key.
pub(crate) fn insert_row<'q, DB: SqlTypes, M: ModelOn<DB>>(
    key: &'q KeyValue,
    row: &'q M,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.table::<M>().sql(" (");
    push_key_columns::<DB, M>(&mut statement, "");
    for column in M::WRITTEN {
        statement.sql(", ").identifier(column);
    }
    statement.sql(")").sql(override_key::<DB, M>()).sql(" VALUES (");
    push_key::<DB, M>(&mut statement, key);
    for index in 0..M::WRITTEN.len() {
        statement.sql(", ").field(row, index);
    }
    statement.sql(") RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Inserts a row without some of its columns, which take their `DEFAULT`, and returns it. Without a key, the database makes
/// the key. With a key, nothing is inserted if there is a row with it.
pub(crate) fn insert_with_defaults<'q, DB: SqlTypes, M: ModelOn<DB>>(
    key: Option<&'q KeyValue>,
    row: &'q M,
    left: &[usize],
) -> Statement<'q, DB> {
    let written: Vec<usize> = (0..M::WRITTEN.len()).filter(|index| !left.contains(index)).collect();
    let mut statement = Statement::new("INSERT INTO ");
    statement.table::<M>();
    if key.is_none() && written.is_empty() {
        statement.sql(" DEFAULT VALUES RETURNING ").columns("", M::COLUMNS);
        return statement;
    }
    statement.sql(" (");
    if key.is_some() {
        push_key_columns::<DB, M>(&mut statement, "");
    }
    for (nth, index) in written.iter().enumerate() {
        statement.sql(if nth == 0 && key.is_none() { "" } else { ", " }).identifier(M::WRITTEN[*index]);
    }
    statement.sql(")").sql(if key.is_some() { override_key::<DB, M>() } else { "" }).sql(" VALUES (");
    if let Some(key) = key {
        push_key::<DB, M>(&mut statement, key);
    }
    for (nth, index) in written.iter().enumerate() {
        statement.sql(if nth == 0 && key.is_none() { "" } else { ", " }).field(row, *index);
    }
    statement.sql(")");
    if key.is_some() {
        statement.sql(" ON CONFLICT (");
        push_key_columns::<DB, M>(&mut statement, "");
        statement.sql(") DO NOTHING");
    }
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Writes columns of a row.
pub(crate) fn set_row<'q, DB: SqlTypes, M: ModelOn<DB>>(
    key: &'q KeyValue,
    row: &'q M,
    columns: &[usize],
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE ");
    statement.table::<M>().sql(" SET ");
    push_set(&mut statement, row, columns);
    statement.sql(" WHERE ");
    push_is_record::<DB, M>(&mut statement, "", key);
    statement
}

/// Like [`set_row`], but returns the row afterwards.
pub(crate) fn overwrite_row<'q, DB: SqlTypes, M: ModelOn<DB>>(
    key: &'q KeyValue,
    row: &'q M,
    columns: &[usize],
) -> Statement<'q, DB> {
    let mut statement = set_row(key, row, columns);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Deletes a row.
pub(crate) fn remove_row<DB: SqlTypes, M: ModelOn<DB>>(key: &KeyValue) -> Statement<'_, DB> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.table::<M>().sql(" WHERE ");
    push_is_record::<DB, M>(&mut statement, "", key);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Returns the columns to write for these changed fields, with the revision column if the table has one.
///
/// Each set of columns is a statement text of its own, and every text stays prepared. If many columns change, the
/// statement writes all columns, so that the number of texts stays bounded.
pub(crate) fn columns_to_write<M: Model>(changed: Vec<usize>) -> Vec<usize> {
    let mut columns = changed;
    if columns.len() > EXACT_COLUMNS {
        columns = (0..M::FIELDS.len()).collect();
    }
    columns.extend(M::FIELDS.len()..M::WRITTEN.len());
    columns
}

/// The maximum number of changed columns for which exactly these columns are written.
const EXACT_COLUMNS: usize = 8;
