//! Checks within a statement what became of its row: the statement fails, and its event is not kept.

use diesel::pg::Pg;
use evented_core::{KeyPartKind, KeyValue};

use crate::error::RefusedRow;
use crate::model::ModelOn;
use crate::sql::Statement;
use crate::statements::push_record_of;

/// Adds an expression that fails if the new row, called `made`, has another key: a trigger changed it.
pub(super) fn push_must_have_key<'q, M: ModelOn<Pg>>(
    statement: &mut Statement<'q, Pg>,
    record: &'q KeyValue,
) {
    // Texts are compared byte by byte: a collation may take keys for equal that differ.
    let is_text = M::KEY_PARTS.contains(&KeyPartKind::Text);
    let (start, end) = if is_text { ("convert_to(", ", 'UTF8')") } else { ("", "") };
    statement.sql(", CASE WHEN ").sql(start);
    push_record_of::<Pg, M>(statement, "made.");
    statement.sql(end).sql(" <> ").sql(start).value(record).sql(end);
    statement.sql(" THEN CAST('").sql(RefusedRow::OTHER_KEY).sql("' || ");
    push_record_of::<Pg, M>(statement, "made.");
    statement.sql(" AS integer) END");
}

/// Adds an expression that fails if an event was appended and its row was not written: a trigger or a rule suppressed the
/// row. The position keeps the planner from computing the expression in advance.
pub(super) fn push_must_be_written<'q>(
    statement: &mut Statement<'q, Pg>,
    appended: &'static str,
    written: &'static str,
) {
    statement.sql(", CASE WHEN ").sql(appended).sql(" IS NOT NULL AND ").sql(written);
    statement
        .sql(" IS NULL THEN CAST('")
        .sql(RefusedRow::NO_ROW)
        .sql(" ' || ")
        .sql(appended)
        .sql(" AS integer) END");
}
