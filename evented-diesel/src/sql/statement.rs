//! Represents SQL statements as values: the text and its binds, before anything is sent.
//!
//! A [`Statement`] is an ordinary Diesel query: both `RunQueryDsl`s run it, Diesel caches its prepared form by its
//! text, and `debug_query` prints it. A statement is assembled from parts, because only the model knows the user's
//! table and its changed columns, and because one statement writes two tables.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Untyped;
use evented_core::{KeyPart, KeyValue};

use crate::sql::bind_columns::{BindColumns, BindOperands, ConvertedField, NamedTable};
use crate::sql::event_table::EventTable;
use crate::sql::key_list::KeyList;
use crate::sql::log_name::LogName;
use crate::sql::types::SqlTypes;
use crate::sql::value::Value;

/// A query under construction, or ready to run.
///
/// `T` says whether the text is always the same: see [`Text`].
#[must_use]
pub struct Statement<'q, DB: SqlTypes, T = Varying> {
    parts: Vec<Part<'q, DB>>,
    text: PhantomData<fn() -> T>,
}

/// How Diesel finds the prepared form of a statement: by its text, which must be written out first, or by a type that
/// stands for the text, which costs nothing.
pub trait Text: 'static {
    /// Whether the type stands for exactly one text.
    const FIXED: bool;
}

/// The text depends on the values that the statement writes or reads.
#[derive(Debug)]
pub struct Varying;
impl Text for Varying {
    const FIXED: bool = false;
}

/// A statement of kind `K` that has the same text for every use with the model `M`.
#[derive(Debug)]
pub struct Fixed<M, K>(PhantomData<fn() -> (M, K)>);
impl<M: 'static, K: 'static> Text for Fixed<M, K> {
    const FIXED: bool = true;
}

enum Part<'q, DB: SqlTypes> {
    Sql(&'static str),
    Identifier(&'q str),
    Number(usize),
    Value(Value<'q>),
    Key(KeyPart),
    Field(&'q dyn BindColumns<DB>, usize),
    Converted(ConvertedField<DB>),
    Table(for<'a, 'b> fn(AstPass<'a, 'b, DB>) -> QueryResult<()>),
    KeyColumn(for<'a, 'b> fn(usize, AstPass<'a, 'b, DB>) -> QueryResult<()>, usize),
    Fragment(&'q (dyn QueryFragment<DB> + Sync)),
    Among(KeyList<'q>),
    Operand(PushOperand<DB>, usize, Arc<dyn Any + Send + Sync>),
}

/// Binds a value of a field.
type PushOperand<DB> =
    for<'a, 'b> fn(usize, &'b (dyn Any + Send + Sync), AstPass<'a, 'b, DB>) -> QueryResult<()>;

impl<'q, DB: SqlTypes> Statement<'q, DB> {
    /// Creates a statement that begins with this SQL.
    pub fn new(sql: &'static str) -> Self {
        let mut parts = Vec::with_capacity(64);
        parts.push(Part::Sql(sql));
        Self { parts, text: PhantomData }
    }

    /// Declares that this kind of statement has only one text for the model.
    pub fn fixed<M: 'static, K: 'static>(self) -> Statement<'q, DB, Fixed<M, K>> {
        Statement { parts: self.parts, text: PhantomData }
    }

    /// Adds SQL.
    pub fn sql(&mut self, sql: &'static str) -> &mut Self {
        self.parts.push(Part::Sql(sql));
        self
    }

    /// Adds an identifier, in quotation marks.
    pub fn identifier(&mut self, name: &'q str) -> &mut Self {
        self.parts.push(Part::Identifier(name));
        self
    }

    /// Adds a number as it is, for the name of a part of the statement: `published0`, `published1`.
    pub(crate) fn number(&mut self, number: usize) -> &mut Self {
        self.parts.push(Part::Number(number));
        self
    }

    /// Adds a value, as a bind.
    pub fn value(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.parts.push(Part::Value(value.into()));
        self
    }

    /// Adds a part of a key, as a bind.
    pub fn key_part(&mut self, part: KeyPart) -> &mut Self {
        self.parts.push(Part::Key(part));
        self
    }

    /// Adds the value of a row's column, as a bind.
    pub fn field(&mut self, row: &'q dyn BindColumns<DB>, index: usize) -> &mut Self {
        let converted = row.converted_field(index);
        self.parts.push(converted.map_or(Part::Field(row, index), Part::Converted));
        self
    }

    /// Adds the name of the model's table.
    pub fn table<M: NamedTable<DB>>(&mut self) -> &mut Self {
        self.parts.push(Part::Table(M::push_table));
        self
    }

    /// Adds the name of a column of the model's key, with the name of the table.
    pub fn key_column<M: NamedTable<DB>>(&mut self, index: usize) -> &mut Self {
        self.parts.push(Part::KeyColumn(M::push_key_column, index));
        self
    }

    /// Adds a part of a query of Diesel's, with its binds.
    pub fn fragment(&mut self, fragment: &'q (dyn QueryFragment<DB> + Sync)) -> &mut Self {
        self.parts.push(Part::Fragment(fragment));
        self
    }

    /// Adds the list of a condition that the expression before is one of these keys, at least one.
    pub fn among(&mut self, keys: &'q [KeyValue]) -> &mut Self {
        self.parts.push(Part::Among(KeyList::of(keys)));
        self
    }

    /// Adds a value that a field of the model is compared with, as a bind.
    pub(crate) fn operand<M: BindOperands<DB>>(
        &mut self,
        field: usize,
        value: Arc<dyn Any + Send + Sync>,
    ) -> &mut Self {
        self.parts.push(Part::Operand(M::push_operand, field, value));
        self
    }

    /// Adds the name of a log's table.
    pub fn log(&mut self, log: LogName) -> &mut Self {
        if let Some(schema) = log.schema {
            self.identifier(schema).sql(".");
        }
        self.identifier(log.table)
    }

    /// Adds the name of another table in the schema of the log's table.
    pub fn beside(&mut self, log: LogName, table: &'q str) -> &mut Self {
        if let Some(schema) = log.schema {
            self.identifier(schema).sql(".");
        }
        self.identifier(table)
    }

    /// Adds `alias.record_id = …`, and `alias.schema = …` if several models share the log.
    pub fn of_record(
        &mut self,
        alias: &'static str,
        table: EventTable,
        record: impl Into<Value<'q>>,
    ) -> &mut Self {
        self.sql(alias).sql(".record_id = ").value(record).and_schema(alias, table)
    }

    /// Adds `AND alias.schema = …` if several models share the log.
    pub fn and_schema(&mut self, alias: &'static str, table: EventTable) -> &mut Self {
        match table.schema {
            Some(schema) => self.sql(" AND ").sql(alias).sql(".schema = ").value(schema),
            None => self,
        }
    }

    /// Adds a list of columns, each with the same prefix: `t."id", t."name"`.
    pub fn columns(&mut self, prefix: &'static str, columns: &'q [&'static str]) -> &mut Self {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                self.sql(", ");
            }
            self.sql(prefix).identifier(column);
        }
        self
    }
}

impl<DB: SqlTypes> Statement<'_, DB> {
    /// Writes the statement into another query. It has no binds of its own.
    pub(crate) fn push_unbound(&self, mut out: AstPass<'_, '_, DB>) -> QueryResult<()> {
        for part in &self.parts {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Identifier(name) => out.push_identifier(name)?,
                Part::Number(number) => out.push_sql(&number.to_string()),
                Part::Table(push) => push(out.reborrow())?,
                Part::KeyColumn(push, index) => push(*index, out.reborrow())?,
                Part::Value(_)
                | Part::Key(_)
                | Part::Field(..)
                | Part::Converted(_)
                | Part::Fragment(_)
                | Part::Among(_)
                | Part::Operand(..) => {
                    let reason = "a value in a part of a statement that has none";
                    return Err(diesel::result::Error::QueryBuilderError(reason.into()));
                }
            }
        }
        Ok(())
    }
}

impl<DB: SqlTypes, T: Text> QueryFragment<DB> for Statement<'_, DB, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for part in &self.parts {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Identifier(name) => out.push_identifier(name)?,
                Part::Number(number) => out.push_sql(&number.to_string()),
                Part::Value(value) => DB::push_value(value, out.reborrow())?,
                Part::Key(part) => DB::push_key_part(part, out.reborrow())?,
                Part::Field(row, index) => row.push_field(*index, out.reborrow())?,
                Part::Converted(field) => field.push(out.reborrow())?,
                Part::Table(push) => push(out.reborrow())?,
                Part::KeyColumn(push, index) => push(*index, out.reborrow())?,
                Part::Fragment(fragment) => fragment.walk_ast(out.reborrow())?,
                Part::Among(keys) => DB::push_among(keys, out.reborrow())?,
                Part::Operand(push, field, value) => push(*field, &**value, out.reborrow())?,
            }
        }
        Ok(())
    }

    // Every other part is safe to cache. The default implementation would walk over all parts to find that out.
    fn is_safe_to_cache_prepared(&self, backend: &DB) -> QueryResult<bool> {
        for part in &self.parts {
            if let Part::Fragment(fragment) = part
                && !fragment.is_safe_to_cache_prepared(backend)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<DB: SqlTypes, T: Text> QueryId for Statement<'_, DB, T> {
    type QueryId = T;
    const HAS_STATIC_QUERY_ID: bool = T::FIXED;
}

impl<DB: SqlTypes, T: Text> Query for Statement<'_, DB, T> {
    type SqlType = Untyped;
}

impl<Conn, DB: SqlTypes, T: Text> diesel::RunQueryDsl<Conn> for Statement<'_, DB, T> {}

impl<DB: SqlTypes, T> fmt::Debug for Statement<'_, DB, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}
