//! Builds the statements that read the rows of live queries.

use evented_core::live::{Condition, Filter, Op, Operand, Plan, Test};
use evented_core::{KeyPartKind, KeyValue};

use crate::model::LiveOn;
use crate::sql::{Database, SqlTypes, Statement};
use crate::statements::key_columns::push_key_part;

/// The numbers of values that a list in a statement has, so that there are few texts.
const SIZES: [usize; 4] = [1, 8, 64, 512];

/// Reads the rows that the filter of a query holds for, in its order, behind a row of the order if there is one.
pub(crate) fn live_rows<'q, DB: SqlTypes, M: LiveOn<DB>>(
    plan: &'q Plan<M>,
    behind: Option<(&'q M, &'q KeyValue)>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    push_filter(&mut statement, &plan.filter);
    if let Some((row, key)) = behind {
        statement.sql(" AND (");
        push_is_behind(&mut statement, plan, row, key);
        statement.sql(")");
    }
    statement.sql(" ORDER BY ");
    push_order(&mut statement, plan);
    statement.sql(" LIMIT ").value(limit);
    statement
}

/// Reads the children of several parents, in the order of the queries, which have it in common: all of them, or the first of
/// each parent.
pub(crate) fn live_children<'q, DB: SqlTypes, M: LiveOn<DB>>(
    plan: &'q Plan<M>,
    siblings: &'q Filter<M>,
    foreign_key: &'static str,
    of_each: Option<i64>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.columns("t.", M::COLUMNS);
    match of_each {
        None => {
            statement.sql(" FROM ").table::<M>().sql(" t WHERE ");
            push_filter(&mut statement, siblings);
            statement.sql(" ORDER BY ");
            push_order(&mut statement, plan);
        }
        Some(of_each) => {
            statement.sql(" FROM (SELECT ").columns("t.", M::COLUMNS);
            statement.sql(", ROW_NUMBER() OVER (PARTITION BY t.").identifier(foreign_key).sql(" ORDER BY ");
            push_order(&mut statement, plan);
            statement.sql(") AS evented_place FROM ").table::<M>().sql(" t WHERE ");
            push_filter(&mut statement, siblings);
            statement.sql(") t WHERE t.evented_place <= ").value(of_each).sql(" ORDER BY t.evented_place");
        }
    }
    statement.sql(" LIMIT ").value(limit);
    statement
}

fn push_order<DB: SqlTypes, M: LiveOn<DB>>(statement: &mut Statement<'_, DB>, plan: &Plan<M>) {
    for term in &plan.order {
        statement.sql("t.").identifier(term.field.column).sql(collation::<DB>(term.field.text));
        statement.sql(if term.descending { " DESC NULLS FIRST, " } else { " ASC NULLS LAST, " });
    }
    push_key_order::<DB, M>(statement);
}

/// Text is compared by its bytes, as in memory.
fn collation<DB: SqlTypes>(text: bool) -> &'static str {
    match DB::DATABASE {
        _ if !text => "",
        Database::Postgres => " COLLATE \"C\"",
        Database::Sqlite => " COLLATE BINARY",
    }
}

/// The collation for equality: PostgreSQL's own compares texts by their bytes, and has the index.
fn equality<DB: SqlTypes>(text: bool) -> &'static str {
    if DB::DATABASE == Database::Sqlite { collation::<DB>(text) } else { "" }
}

fn push_key_order<DB: SqlTypes, M: LiveOn<DB>>(statement: &mut Statement<'_, DB>) {
    for (index, column) in M::KEY_COLUMNS.iter().enumerate() {
        statement.sql(if index == 0 { "t." } else { ", t." }).identifier(column);
        statement.sql(collation::<DB>(is_text::<DB, M>(index)));
    }
}

fn is_text<DB: SqlTypes, M: LiveOn<DB>>(part: usize) -> bool {
    M::KEY_PARTS.get(part) == Some(&KeyPartKind::Text) || M::is_uuid_text(part)
}

fn push_filter<'q, DB: SqlTypes, M: LiveOn<DB>>(statement: &mut Statement<'q, DB>, filter: &'q Filter<M>) {
    match filter.condition() {
        Condition::Test(test) => push_test(statement, test),
        Condition::Not(filter) => {
            statement.sql("(NOT ");
            push_filter(statement, filter);
            statement.sql(")");
        }
        Condition::All(parts) => push_parts(statement, parts, " AND ", "1 = 1"),
        Condition::Any(parts) => push_parts(statement, parts, " OR ", "1 = 0"),
    }
}

fn push_parts<'q, DB: SqlTypes, M: LiveOn<DB>>(
    statement: &mut Statement<'q, DB>,
    parts: &'q [Filter<M>],
    between: &'static str,
    none: &'static str,
) {
    statement.sql("(");
    for (index, part) in parts.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { between });
        push_filter(statement, part);
    }
    statement.sql(if parts.is_empty() { none } else { "" }).sql(")");
}

fn push_test<'q, DB: SqlTypes, M: LiveOn<DB>>(statement: &mut Statement<'q, DB>, test: &'q Test<M>) {
    let (field, text) = (&test.field, test.field.text);
    let operator = match test.op {
        Op::Eq => " = ",
        Op::Ne => " <> ",
        Op::Lt => " < ",
        Op::Le => " <= ",
        Op::Gt => " > ",
        Op::Ge => " >= ",
        Op::IsNull => {
            statement.sql("(t.").identifier(field.column).sql(" IS NULL)");
            return;
        }
        Op::In => return push_in(statement, test),
        Op::StartsWith => return push_starts_with(statement, test),
    };
    let is_equality = matches!(test.op, Op::Eq | Op::Ne);
    let collation = if is_equality { equality::<DB>(text) } else { collation::<DB>(text) };
    statement.sql("(t.").identifier(field.column).sql(collation).sql(operator);
    for operand in &test.operands {
        push_operand::<DB, M>(statement, field.index, operand);
    }
    statement.sql(")");
}

fn push_operand<DB: SqlTypes, M: LiveOn<DB>>(
    statement: &mut Statement<'_, DB>,
    field: usize,
    operand: &Operand,
) {
    statement.operand::<M>(field, operand.value.clone());
}

/// Lists have one of few sizes: the last value is repeated.
fn push_in<'q, DB: SqlTypes, M: LiveOn<DB>>(statement: &mut Statement<'q, DB>, test: &'q Test<M>) {
    let largest = SIZES[SIZES.len() - 1];
    for (index, portion) in test.operands.chunks(largest).enumerate() {
        statement.sql(if index == 0 { "(t." } else { " OR t." }).identifier(test.field.column);
        statement.sql(equality::<DB>(test.field.text)).sql(" IN (");
        let size = SIZES.into_iter().find(|size| *size >= portion.len()).unwrap_or(largest);
        let last = portion.last();
        for (place, operand) in portion.iter().chain(last.into_iter().cycle()).take(size).enumerate() {
            statement.sql(if place == 0 { "" } else { ", " });
            push_operand::<DB, M>(statement, test.field.index, operand);
        }
        statement.sql(")");
    }
    statement.sql(")");
}

fn push_starts_with<'q, DB: SqlTypes, M: LiveOn<DB>>(statement: &mut Statement<'q, DB>, test: &'q Test<M>) {
    let [prefix] = test.operands.as_slice() else { return };
    let index = test.field.index;
    match DB::DATABASE {
        Database::Postgres => {
            statement.sql("starts_with(t.").identifier(test.field.column).sql("::text, ");
            push_operand::<DB, M>(statement, index, prefix);
            statement.sql(")");
        }
        Database::Sqlite => {
            statement.sql("(substr(t.").identifier(test.field.column).sql(", 1, length(");
            push_operand::<DB, M>(statement, index, prefix);
            statement.sql(")) COLLATE BINARY = ");
            push_operand::<DB, M>(statement, index, prefix);
            statement.sql(")");
        }
    }
}

/// Adds the condition that a row is behind another in the order of a query: it is greater in a term, and equal in those
/// before it. Null is greater than every value.
fn push_is_behind<'q, DB: SqlTypes, M: LiveOn<DB>>(
    statement: &mut Statement<'q, DB>,
    plan: &Plan<M>,
    row: &M,
    key: &'q KeyValue,
) {
    let operands: Vec<Operand> = plan.order.iter().map(|term| term.operand_of(row)).collect();
    for place in 0..plan.order.len() + M::KEY_COLUMNS.len() {
        statement.sql(if place == 0 { "(" } else { " OR (" });
        for (term, operand) in plan.order.iter().zip(&operands).take(place) {
            statement.sql("t.").identifier(term.field.column);
            match operand.is_null {
                true => {
                    statement.sql(" IS NULL AND ");
                }
                false => {
                    statement.sql(equality::<DB>(term.field.text)).sql(" = ");
                    push_operand::<DB, M>(statement, term.field.index, operand);
                    statement.sql(" AND ");
                }
            }
        }
        if let Some((term, operand)) = plan.order.iter().zip(&operands).nth(place) {
            let column = term.field.column;
            match (operand.is_null, term.descending) {
                (true, false) => {
                    statement.sql("1 = 0");
                }
                (true, true) => {
                    statement.sql("t.").identifier(column).sql(" IS NOT NULL");
                }
                (false, descending) => {
                    statement.sql("(t.").identifier(column).sql(collation::<DB>(term.field.text));
                    statement.sql(if descending { " < " } else { " > " });
                    push_operand::<DB, M>(statement, term.field.index, operand);
                    if !descending {
                        statement.sql(" OR t.").identifier(column).sql(" IS NULL");
                    }
                    statement.sql(")");
                }
            }
        } else {
            push_key_is_behind::<DB, M>(statement, key, place - plan.order.len());
        }
        statement.sql(")");
    }
}

/// Adds the condition on the columns of the key: equal before a part, and greater in it.
fn push_key_is_behind<'q, DB: SqlTypes, M: LiveOn<DB>>(
    statement: &mut Statement<'q, DB>,
    key: &'q KeyValue,
    part: usize,
) {
    for (index, column) in M::KEY_COLUMNS.iter().enumerate().take(part + 1) {
        statement.sql(if index == 0 { "t." } else { " AND t." }).identifier(column);
        statement.sql(collation::<DB>(is_text::<DB, M>(index)));
        statement.sql(if index == part { " > " } else { " = " });
        push_key_part::<DB, M>(statement, key, column);
    }
}
