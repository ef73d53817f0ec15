//! Where a model's events are goes together with its key and its table.

use crate::errors::Errors;
use crate::model::{FieldKind, KeyKind, Model};

/// A shared log is described where it is declared.
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

/// A key that the database makes is made for one table, and by its row.
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
        let reason = "without a table there is nobody to make this key";
        errors.push_on(&key.ty, format!("{reason}; write `Id<{}>` or `String`", model.ident));
    }
}

/// Columns of the database's own, and what happens to rows, are nothing for a model without rows.
pub(super) fn without_a_table_there_is_no_row(model: &Model, errors: &mut Errors) {
    if model.log_only.is_none() {
        return;
    }
    for field in model.fields.iter().filter(|field| field.kind == FieldKind::External) {
        let reason = "a model without a table has no columns that belong to the database";
        errors.push(field.ident.span(), format!("{reason}; leave out `#[evented(external)]` or `log_only`"));
    }
}

/// A savepoint after no event at all would come for ever.
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
