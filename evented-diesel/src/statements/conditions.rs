//! Conditions on the log that users' Diesel queries contain: of which record an event is, and of which row.

use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::Bool;
use evented_core::{KeyPart, KeyPartKind};

use crate::model::{EventLog, Model, ModelOn, Record};
use crate::sql::{LogName, SqlTypes, Statement, Value};
use crate::statements::key_columns::push_record_of_table;

/// Selects the events of one record of `M`: the condition of `item.events()`.
#[derive(Debug)]
pub struct IsRecord<M> {
    key: KeyPart,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for IsRecord<M> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), model: PhantomData }
    }
}

impl<M: Model> IsRecord<M> {
    /// Selects the events of the record with this key.
    pub fn new(key: M::Key) -> Self {
        let key = Record::<M>::new(key).value;
        let kind = [KeyPartKind::Uuid, KeyPartKind::Int, KeyPartKind::BigInt]
            .into_iter()
            .find_map(|kind| (kind.form() == M::KEY).then(|| key.part(kind))?);
        Self { key: kind.unwrap_or_else(|| KeyPart::Text(key.to_string())), model: PhantomData }
    }
}

impl<M: Model, DB: SqlTypes> QueryFragment<DB> for IsRecord<M> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        push_log_column(M::Log::NAME, "record_id", out.reborrow())?;
        out.push_sql(" = ");
        DB::push_key_part(&self.key, out.reborrow())?;
        push_is_of_model::<DB, M>(out)
    }
}

/// Joins the events of a model with the rows of their records: the condition of a join of the log with the model's
/// table. `J` stands for the model, which may be private where the log is not.
#[derive(Debug)]
pub struct IsRow<J>(PhantomData<fn() -> J>);

impl<J> Clone for IsRow<J> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<J> Copy for IsRow<J> {}

impl<J> Default for IsRow<J> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// A type that stands for a model in [`IsRow`]. The derive implements it.
pub trait JoinOf<DB: SqlTypes> {
    /// Writes the condition.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn push_condition(out: AstPass<'_, '_, DB>) -> QueryResult<()>;
}

impl<J: JoinOf<DB>, DB: SqlTypes> QueryFragment<DB> for IsRow<J> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        J::push_condition(out)
    }
}

/// Writes the condition that an event is of the record of a row of `M`.
///
/// # Errors
///
/// Errors of Diesel.
pub fn push_is_row<DB: SqlTypes, M: ModelOn<DB>>(mut out: AstPass<'_, '_, DB>) -> QueryResult<()> {
    push_log_column(M::Log::NAME, "record_id", out.reborrow())?;
    out.push_sql(" = ");
    let mut statement = Statement::<DB>::new("");
    push_record_of_table::<DB, M>(&mut statement);
    statement.push_unbound(out.reborrow())?;
    push_is_of_model::<DB, M>(out)
}

/// Adds the name of a column of the log, as Diesel writes it in a query over the log's table.
fn push_log_column<DB: SqlTypes>(
    log: LogName,
    column: &str,
    mut out: AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    if let Some(schema) = log.schema {
        out.push_identifier(schema)?;
        out.push_sql(".");
    }
    out.push_identifier(log.table)?;
    out.push_sql(".");
    out.push_identifier(column)
}

/// Adds the condition on the model's name, if several models share the log.
fn push_is_of_model<DB: SqlTypes, M: Model>(mut out: AstPass<'_, '_, DB>) -> QueryResult<()> {
    if M::Log::SHARED {
        out.push_sql(" AND ");
        push_log_column(M::Log::NAME, "schema", out.reborrow())?;
        out.push_sql(" = ");
        DB::push_value(const { &Value::Text(M::SCHEMA) }, out)?;
    }
    Ok(())
}

/// Makes a condition on a model an expression of Diesel. Its text depends on the model alone.
macro_rules! condition {
    ($name:ident) => {
        impl<M> Expression for $name<M> {
            type SqlType = Bool;
        }
        impl<M: 'static> QueryId for $name<M> {
            type QueryId = IsRow<(M, $name<()>)>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }
        impl<M, Group> ValidGrouping<Group> for $name<M> {
            type IsAggregate = is_aggregate::No;
        }
        impl<M, Source> AppearsOnTable<Source> for $name<M> {}
        impl<M, Source> SelectableExpression<Source> for $name<M> {}
    };
}
condition!(IsRecord);
condition!(IsRow);
