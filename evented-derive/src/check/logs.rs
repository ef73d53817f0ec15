//! Checks that a model's log, key and table are consistent.

use crate::errors::Errors;
use crate::model::{FieldKind, KeyKind, Model};

/// Checks that a model with a shared log does not describe the log. The log's own declaration does.
pub(super) fn a_log_is_shared_or_of_ones_own(model: &Model, errors: &mut Errors) {
    if model.log.is_none() {
        return;
    }
    if let Some(table) = &model.log_table {
        errors.push_on(
            table,
            "the model's events are in the log of `log = …`; write `log_table` or `log`, not both",
        );
    }
    if let Some(schema) = &model.log_schema {
        let reason = "where a shared log is stands with the log";
        errors.push(
            schema.span,
            format!("{reason}; write `#[event_log(log_schema = \"{}\")]` there", schema.value),
        );
    }
}

/// Checks the key of a model without its own log or table. The database makes a key for one table, when it inserts
/// the row.
pub(super) fn keys_fit_the_log(model: &Model, errors: &mut Errors) {
    let made =
        |field: &&crate::model::Field| matches!(field.kind, FieldKind::Key(KeyKind::I32 | KeyKind::I64));
    let Some(key) = model.fields.iter().find(made) else { return };
    if model.log.is_some() {
        let reason =
            "a key that the database makes names records of one table only, and a shared log has several";
        errors.push_on(&key.ty, format!("{reason}; write `Id<{0}>`, or leave out `log = …`", model.ident));
    }
    if model.log_only.is_some() {
        let reason = "without a table, no database can generate this key";
        errors.push_on(&key.ty, format!("{reason}; write `Id<{}>` or `String`", model.ident));
    }
}

/// Checks a model without a table. It has no columns, so no column that the database generates.
pub(super) fn without_a_table_there_is_no_row(model: &Model, errors: &mut Errors) {
    if model.log_only.is_none() {
        return;
    }
    for field in model.fields.iter().filter(|field| field.kind == FieldKind::Generated) {
        let reason = "a model without a table has no columns that belong to the database";
        errors.push(field.ident.span(), format!("{reason}; leave out `#[evented(generated)]` or `log_only`"));
    }
}

/// Checks the interval of savepoints. An interval of 0 would write a savepoint before every event, without end.
pub(super) fn savepoints_come_now_and_then(model: &Model, errors: &mut Errors) {
    if let Some(every) = &model.savepoint_every
        && every.value == 0
    {
        errors.push(
            every.span,
            "a savepoint comes after some events; write for example `savepoint(every = 200)`",
        );
    }
}
