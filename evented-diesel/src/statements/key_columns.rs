//! Writes the key of a model into statements: its columns in the model's table, and its form in the log.
//!
//! The log keeps a key in one column. A key of several columns is kept as text, and so is a key of a type that logs have
//! no form for. The table keeps the parts. This module is the bridge.

use evented_core::{ExactPartKind, KeyKind, KeyPart, KeyPartKind, KeyValue};

use crate::model::{Model, ModelOn};
use crate::sql::{Database, SqlTypes, Statement, Value};

/// A record's key as the columns of its model's table hold it.
pub(crate) enum TableKey<'q> {
    /// The table and the log keep the key in the same form.
    Same(Value<'q>),
    /// The value of each column.
    Parts(Vec<KeyPart>),
}

impl<'q> TableKey<'q> {
    pub(crate) fn of<M: Model>(record: &'q KeyValue) -> Self {
        if has_key_of_log::<M>() {
            return Self::Same(record.into());
        }
        // A text that is no key of the model names no row. Its columns are compared with nothing that they can hold.
        let parts = record.parts(M::KEY_PARTS).unwrap_or_else(|| {
            M::KEY_PARTS.iter().map(|_| KeyPart::Text(format!("{record} is no key"))).collect()
        });
        let stored = parts.into_iter().enumerate().map(|(index, part)| match part {
            part @ KeyPart::Uuid(_) if M::is_uuid_text(index) => KeyPart::Text(part.text()),
            part => part,
        });
        Self::Parts(stored.collect())
    }
}

/// Whether the table has one key column, whose values are those of the log's.
pub(super) fn has_key_of_log<M: Model>() -> bool {
    let [part] = M::KEY_PARTS else { return false };
    KeyKind::of(M::KEY_PARTS) == M::KEY
        && (M::KEY != KeyKind::Text || *part == KeyPartKind::Text)
        && !M::is_uuid_text(0)
}

/// Adds the columns of the key: `t."a", t."b"`.
pub(crate) fn push_key_columns<'q, DB: SqlTypes, M: Model>(
    statement: &mut Statement<'q, DB>,
    prefix: &'static str,
) {
    statement.columns(prefix, M::KEY_COLUMNS);
}

/// Adds the values of the key's columns: `$1, $2`.
pub(crate) fn push_key<'q, DB: SqlTypes, M: Model>(statement: &mut Statement<'q, DB>, record: &'q KeyValue) {
    match TableKey::of::<M>(record) {
        TableKey::Same(value) => {
            statement.value(value);
        }
        TableKey::Parts(parts) => {
            for (index, part) in parts.into_iter().enumerate() {
                statement.sql(if index == 0 { "" } else { ", " }).key_part(part);
            }
        }
    }
}

/// Adds the value of one of the key's columns.
pub(crate) fn push_key_part<'q, DB: SqlTypes, M: Model>(
    statement: &mut Statement<'q, DB>,
    record: &'q KeyValue,
    column: &str,
) {
    match TableKey::of::<M>(record) {
        TableKey::Same(value) => {
            statement.value(value);
        }
        TableKey::Parts(parts) => {
            let of_column = parts.into_iter().zip(M::KEY_COLUMNS).find(|(_, name)| **name == column);
            if let Some((part, _)) = of_column {
                statement.key_part(part);
            }
        }
    }
}

/// Adds a condition that selects the row of a record: `t."a" = $1 AND t."b" = $2`.
pub(crate) fn push_is_record<'q, DB: SqlTypes, M: Model>(
    statement: &mut Statement<'q, DB>,
    prefix: &'static str,
    record: &'q KeyValue,
) {
    match TableKey::of::<M>(record) {
        TableKey::Same(value) => {
            statement.columns(prefix, M::KEY_COLUMNS).sql(" = ").value(value);
        }
        TableKey::Parts(parts) => {
            for (index, (part, column)) in parts.into_iter().zip(M::KEY_COLUMNS).enumerate() {
                statement.sql(if index == 0 { "" } else { " AND " }).sql(prefix).identifier(column);
                statement.sql(" = ").key_part(part);
            }
        }
    }
}

/// Adds a condition that selects the rows after a record in the order of the key's columns.
pub(crate) fn push_is_after<'q, DB: SqlTypes, M: Model>(
    statement: &mut Statement<'q, DB>,
    prefix: &'static str,
    record: &'q KeyValue,
) {
    let several = M::KEY_COLUMNS.len() > 1;
    statement.sql(if several { "(" } else { "" }).columns(prefix, M::KEY_COLUMNS);
    statement.sql(if several { ") > (" } else { " > " });
    push_key::<DB, M>(statement, record);
    statement.sql(if several { ")" } else { "" });
}

/// Adds the key of a row in the form of the log: the column, or an expression of the columns.
pub(crate) fn push_record_of<'q, DB: SqlTypes, M: Model>(
    statement: &mut Statement<'q, DB>,
    prefix: &'static str,
) {
    push_record_of_columns::<DB, M>(statement, |statement, index| {
        statement.sql(prefix);
        if let Some(column) = M::KEY_COLUMNS.get(index) {
            statement.identifier(column);
        }
    });
}

/// Like [`push_record_of`], with the columns as Diesel writes them in a query over the model's table.
pub(crate) fn push_record_of_table<'q, DB: SqlTypes, M: ModelOn<DB>>(statement: &mut Statement<'q, DB>) {
    push_record_of_columns::<DB, M>(statement, |statement, index| {
        statement.key_column::<M>(index);
    });
}

/// Like [`push_record_of`], with the columns that a function writes.
fn push_record_of_columns<'q, DB: SqlTypes, M: Model>(
    statement: &mut Statement<'q, DB>,
    column: impl Fn(&mut Statement<'q, DB>, usize),
) {
    // The column of the log has the database's own collation. Without naming it, PostgreSQL would not use the log's index
    // for a key of another collation.
    let collate = M::KEY == KeyKind::Text && DB::DATABASE == Database::Postgres;
    statement.sql(if collate { "(" } else { "" });
    push_columns_of_record::<DB, M>(statement, column);
    statement.sql(if collate { ") COLLATE pg_catalog.\"default\"" } else { "" });
}

/// Adds the expression of the columns, without a collation.
fn push_columns_of_record<'q, DB: SqlTypes, M: Model>(
    statement: &mut Statement<'q, DB>,
    column: impl Fn(&mut Statement<'q, DB>, usize),
) {
    if has_key_of_log::<M>() {
        column(statement, 0);
        return;
    }
    if M::KEY == KeyKind::Uuid {
        // The table keeps text, and the log keeps a UUID.
        statement.sql(record_of_text(DB::DATABASE).0);
        column(statement, 0);
        statement.sql(record_of_text(DB::DATABASE).1);
        return;
    }
    let several = M::KEY_PARTS.len() > 1;
    for (index, kind) in M::KEY_PARTS.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { " || '/' || " });
        let kind = if M::is_uuid_text(index) { KeyPartKind::Uuid } else { *kind };
        let Fragments(pieces) = text_of(kind, M::is_uuid_text(index), several, DB::DATABASE);
        for (piece, text) in pieces.iter().enumerate() {
            if piece > 0 {
                column(statement, index);
            }
            statement.sql(text);
        }
    }
}

/// The text before and after a column of text to convert it to a UUID of the log.
fn record_of_text(database: Database) -> (&'static str, &'static str) {
    match database {
        Database::Postgres => ("CAST(", " AS uuid)"),
        Database::Sqlite => ("unhex(replace(", ", '-', ''))"),
    }
}

/// The SQL between the occurrences of a column.
struct Fragments(&'static [&'static str]);

/// The expression for the text of a part of a key.
fn text_of(kind: KeyPartKind, is_text: bool, several: bool, database: Database) -> Fragments {
    Fragments(match (kind.exact(), database) {
        (ExactPartKind::Uuid, _) if is_text => &["", ""],
        (ExactPartKind::Text, _) if several => &["replace(replace(", ", '%', '%25'), '/', '%2F')"],
        (ExactPartKind::Text, _) => &["", ""],
        (ExactPartKind::Uuid, Database::Postgres) => &["CAST(", " AS text)"],
        (ExactPartKind::Uuid, Database::Sqlite) => &[
            "lower(substr(hex(",
            "), 1, 8) || '-' || substr(hex(",
            "), 9, 4) || '-' || substr(hex(",
            "), 13, 4) || '-' || substr(hex(",
            "), 17, 4) || '-' || substr(hex(",
            "), 21))",
        ],
        (ExactPartKind::SmallInt | ExactPartKind::Int | ExactPartKind::BigInt, _) => &["CAST(", " AS text)"],
        (ExactPartKind::Bool, Database::Postgres) => &["CAST(", " AS text)"],
        (ExactPartKind::Bool, Database::Sqlite) => &["CASE WHEN ", " THEN 'true' ELSE 'false' END"],
        (ExactPartKind::Bytes, Database::Postgres) => &["encode(", ", 'hex')"],
        (ExactPartKind::Bytes, Database::Sqlite) => &["lower(hex(", "))"],
    })
}
