//! Statements that read and write rows of the user's table.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::KeyValue;

use super::history::{HEAD_WIDTH, field, head_columns};
use super::{HeadRow, Statement};
use crate::backend::Dialect;
use crate::model::{Model, Rows};

/// A row together with the last event of its record.
pub(crate) struct Current<M> {
    pub(crate) head: HeadRow,
    pub(crate) version: String,
    pub(crate) row: M,
}

impl<DB: Dialect, M: Rows<DB>> QueryableByName<DB> for Current<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            head: HeadRow::read(row, 0)?,
            version: field(row, HEAD_WIDTH, DB::read_text)?,
            row: M::read(row, HEAD_WIDTH + 1)?,
        })
    }
}

/// The row and the head of its log. An inner join: a left join sorted the whole history.
pub(crate) fn current<DB: Dialect, M: Rows<DB>>(record: &KeyValue) -> Statement<'_, DB> {
    let place = M::place(record);
    let mut statement = Statement::new("SELECT ");
    statement.sql(head_columns(place)).sql(", ").sql(DB::ROW_VERSION).sql(", ").columns("t.", M::COLUMNS);
    statement.sql(" FROM ").table::<M>().sql(" t INNER JOIN ").log(place.table);
    statement.sql(" e ON e.record_id = t.").identifier(M::KEY_COLUMN);
    statement.sql(" WHERE t.").identifier(M::KEY_COLUMN).sql(" = ").value(record);
    // The second condition lets the planner walk the log's index backwards from the record's last event.
    statement.sql(" AND ").of_record("e", place, record).sql(" ORDER BY e.revision DESC LIMIT 1");
    statement
}

/// A row alone.
pub(crate) struct RecordRow<M>(pub(crate) M);

impl<DB: Dialect, M: Rows<DB>> QueryableByName<DB> for RecordRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        M::read(row, 0).map(Self)
    }
}

/// The row of a record.
pub(crate) fn row_of<DB: Dialect, M: Rows<DB>>(record: &KeyValue) -> Statement<'_, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE t.");
    statement.identifier(M::KEY_COLUMN).sql(" = ").value(record);
    statement
}

/// `INSERT INTO table (columns)`, with the key's column if it is written too.
pub(crate) fn push_insert_columns<'q, DB: Dialect, M: Rows<DB>>(statement: &mut Statement<'q, DB>) {
    statement.sql("INSERT INTO ").table::<M>().sql(" (");
    if !M::KEY.by_database() {
        statement.identifier(M::KEY_COLUMN);
    }
    for (index, column) in M::WRITTEN.iter().enumerate() {
        if index > 0 || !M::KEY.by_database() {
            statement.sql(", ");
        }
        statement.identifier(column);
    }
    statement.sql(") ");
}

/// The values of [`push_insert_columns`].
pub(crate) fn push_insert_values<'q, DB: Dialect, M: Rows<DB>>(
    statement: &mut Statement<'q, DB>,
    key: &'q KeyValue,
    row: &'q M,
) {
    if !M::KEY.by_database() {
        statement.value(key);
    }
    for index in 0..M::WRITTEN.len() {
        if index > 0 || !M::KEY.by_database() {
            statement.sql(", ");
        }
        statement.field(row, index);
    }
}

/// `"name" = …, "value" = …` for the columns with these indices.
pub(crate) fn push_set<'q, DB: Dialect, M: Rows<DB>>(
    statement: &mut Statement<'q, DB>,
    row: &'q M,
    columns: &[usize],
) {
    for (place, index) in columns.iter().enumerate() {
        if place > 0 {
            statement.sql(", ");
        }
        statement.identifier(M::WRITTEN[*index]).sql(" = ").field(row, *index);
    }
}

/// A key that the database made once is given back to it.
pub(crate) fn override_key<DB: Dialect, M: Model>() -> &'static str {
    if M::KEY.by_database() { DB::OVERRIDE_KEY } else { "" }
}

/// Writes a row that is missing, with its key.
pub(crate) fn insert_row<'q, DB: Dialect, M: Rows<DB>>(key: &'q KeyValue, row: &'q M) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.table::<M>().sql(" (").identifier(M::KEY_COLUMN);
    for column in M::WRITTEN {
        statement.sql(", ").identifier(column);
    }
    statement.sql(")").sql(override_key::<DB, M>()).sql(" VALUES (").value(key);
    for index in 0..M::WRITTEN.len() {
        statement.sql(", ").field(row, index);
    }
    statement.sql(") RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Writes columns of a row.
pub(crate) fn set_row<'q, DB: Dialect, M: Rows<DB>>(
    key: &'q KeyValue,
    row: &'q M,
    columns: &[usize],
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE ");
    statement.table::<M>().sql(" SET ");
    push_set(&mut statement, row, columns);
    statement.sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" = ").value(key);
    statement
}

/// [`set_row`], and the row as it is then.
pub(crate) fn overwrite_row<'q, DB: Dialect, M: Rows<DB>>(
    key: &'q KeyValue,
    row: &'q M,
    columns: &[usize],
) -> Statement<'q, DB> {
    let mut statement = set_row(key, row, columns);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// Removes a row.
pub(crate) fn remove_row<DB: Dialect, M: Rows<DB>>(key: &KeyValue) -> Statement<'_, DB> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.table::<M>().sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" = ").value(key);
    statement.sql(" RETURNING ").columns("", M::COLUMNS);
    statement
}

/// The columns to write for these changed fields, with the revision if the table has one.
///
/// Each set of columns is a statement text of its own, and every text is kept prepared: beyond some width all
/// columns are written, so that their number stays bounded.
pub(crate) fn columns_to_write<M: Model>(changed: Vec<usize>) -> Vec<usize> {
    let mut columns = changed;
    if columns.len() > EXACT_COLUMNS {
        columns = (0..M::FIELDS.len()).collect();
    }
    columns.extend(M::FIELDS.len()..M::WRITTEN.len());
    columns
}

/// Up to this many changed columns are written exactly.
const EXACT_COLUMNS: usize = 8;
