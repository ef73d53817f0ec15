//! Builds conditions over foreign keys.

use evented_core::KeyValue;

use crate::model::Model;
use crate::sql::{SqlTypes, Statement};
use crate::statements::key_columns::{TableKey, has_key_of_log, push_key};

/// The condition that a row refers to one of these records of `P`, by columns in the order of the parts of its key.
pub(crate) fn refers_to<'q, DB: SqlTypes, P: Model>(
    records: &'q [KeyValue],
    columns: &'q [&'static str],
) -> Statement<'q, DB> {
    let mut statement = Statement::new("");
    if let [column] = columns {
        statement.identifier(column);
        if has_key_of_log::<P>() {
            statement.among(records);
            return statement;
        }
        for (index, record) in records.iter().enumerate() {
            statement.sql(if index == 0 { " IN (" } else { ", " });
            push_key::<DB, P>(&mut statement, record);
        }
        statement.sql(")");
        return statement;
    }
    for (index, record) in records.iter().enumerate() {
        statement.sql(if index == 0 { "(" } else { " OR (" });
        let TableKey::Parts(parts) = TableKey::of::<P>(record) else { continue };
        for (nth, (part, column)) in parts.into_iter().zip(columns).enumerate() {
            statement.sql(if nth == 0 { "" } else { " AND " }).identifier(column).sql(" = ").key_part(part);
        }
        statement.sql(")");
    }
    statement
}
