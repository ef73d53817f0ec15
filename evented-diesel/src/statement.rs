//! Statements as values: what is sent to the database, with its binds, before anything is sent.
//!
//! A [`Statement`] is a Diesel query like any other: both `RunQueryDsl`s run it, Diesel caches its prepared form by
//! its text, and `debug_query` prints it. It is put together from parts, since the user's table and its changed
//! columns are known only to the model, and since one statement writes two tables.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Untyped;
use evented_core::KeyValue;
use uuid::Uuid;

use crate::backend::Dialect;
use crate::log::{LogName, Place};
use crate::model::{Bind, Rows};

mod append;
mod batch;
mod formats;
mod history;
mod integrity;
mod link;
mod row;
mod stream;
mod table;

pub use append::{Append, Guard, Inserted, Removed, Written};
pub(crate) use append::{
    Appended, InsertedRow, Source, WrittenRow, append, append_columns, push_append_values, push_turn,
    read_spot,
};
pub(crate) use batch::{
    LARGEST_PORTION, current_rows, insert_from, insert_many, insert_many_plain, lock_rows, portions,
    remove_many, remove_many_plain, update_many,
};
pub(crate) use formats::{format_of, table_exists};
pub use history::HeadRow;
pub(crate) use history::{
    EventOf, EventRow, HEAD_WIDTH, LastPosition, RecordOf, ReplayedEvent, Until, event_by_id, field, head_of,
    history, last_position, optional, page, page_of_all,
};
pub(crate) use integrity::{
    ChainEvent, ChainKey, ChainRow, CheckpointRow, EventHashes, LeafRow, Number, Range, chain_page,
    checkpoints, hashes_of, horizon, leaves, write_checkpoint,
};
pub(crate) use link::{LinkedRow, link, linked};
pub(crate) use row::{
    Current, RecordRow, columns_to_write, current, insert_row, overwrite_row, push_insert_columns,
    push_insert_values, push_set, remove_row, row_of, set_row,
};
pub(crate) use stream::{
    BigIntKeys, EventId, FinalEvent, HolderRow, IntKeys, LastSpot, Logged, LoggedRow, Mark, PlaceRow, Spot,
    TextKeys, UuidKeys, event_at, final_event, histories, last_spot, next_place, positions_from, stream_page,
};
pub(crate) use table::{ColumnNames, column_names, count_without_events, rows_between, rows_without_events};

/// A query under construction, or ready to be run.
///
/// `T` names its text, where that is always the same: see [`Text`].
#[must_use]
pub struct Statement<'q, DB: Dialect, T = Varying> {
    parts: Vec<Part<'q, DB>>,
    text: PhantomData<fn() -> T>,
}

/// How Diesel finds the prepared form of a statement: by its text, which takes writing it, or by a type that stands for
/// the text, which takes nothing.
pub trait Text: 'static {
    /// Whether the type stands for one text.
    const FIXED: bool;
}

/// The text varies with what is written or asked for.
#[derive(Debug)]
pub struct Varying;
impl Text for Varying {
    const FIXED: bool = false;
}

/// The one text of a kind of statement for a model.
#[derive(Debug)]
pub struct Fixed<M, K>(PhantomData<fn() -> (M, K)>);
impl<M: 'static, K: 'static> Text for Fixed<M, K> {
    const FIXED: bool = true;
}

enum Part<'q, DB: Dialect> {
    Sql(&'static str),
    Identifier(&'q str),
    Value(Value<'q>),
    Field(&'q dyn Bind<DB>, usize),
    Table(for<'a, 'b> fn(AstPass<'a, 'b, DB>) -> QueryResult<()>),
}

/// A value of the log's own types.
#[derive(Debug, Clone, Copy)]
pub enum Value<'q> {
    Uuid(Uuid),
    Text(&'q str),
    Int(i32),
    BigInt(i64),
    Json(&'q str),
    OptionalJson(Option<&'q str>),
    Time(DateTime<Utc>),
    Bytes(&'q [u8]),
}

impl<'q> From<&'q KeyValue> for Value<'q> {
    fn from(key: &'q KeyValue) -> Self {
        match key {
            KeyValue::Uuid(key) => Self::Uuid(*key),
            KeyValue::Text(key) => Self::Text(key),
            KeyValue::Int(key) => Self::Int(*key),
            KeyValue::BigInt(key) => Self::BigInt(*key),
        }
    }
}

impl<'q, DB: Dialect> Statement<'q, DB> {
    pub(crate) fn new(sql: &'static str) -> Self {
        let mut parts = Vec::with_capacity(64);
        parts.push(Part::Sql(sql));
        Self { parts, text: PhantomData }
    }

    /// Says that this kind of statement has but one text for the model.
    pub(crate) fn fixed<M: 'static, K: 'static>(self) -> Statement<'q, DB, Fixed<M, K>> {
        Statement { parts: self.parts, text: PhantomData }
    }

    pub(crate) fn sql(&mut self, sql: &'static str) -> &mut Self {
        self.parts.push(Part::Sql(sql));
        self
    }

    pub(crate) fn identifier(&mut self, name: &'q str) -> &mut Self {
        self.parts.push(Part::Identifier(name));
        self
    }

    pub(crate) fn value(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.parts.push(Part::Value(value.into()));
        self
    }

    pub(crate) fn field(&mut self, row: &'q dyn Bind<DB>, index: usize) -> &mut Self {
        self.parts.push(Part::Field(row, index));
        self
    }

    /// The name of the model's table.
    pub(crate) fn table<M: Rows<DB>>(&mut self) -> &mut Self {
        self.parts.push(Part::Table(M::push_table));
        self
    }

    /// The name of a log's table.
    pub(crate) fn log(&mut self, log: LogName) -> &mut Self {
        if let Some(schema) = log.schema {
            self.identifier(schema).sql(".");
        }
        self.identifier(log.table)
    }

    /// The name of a table that is beside the log's, in its schema.
    pub(crate) fn beside(&mut self, log: LogName, table: &'q str) -> &mut Self {
        if let Some(schema) = log.schema {
            self.identifier(schema).sql(".");
        }
        self.identifier(table)
    }

    /// `e.record_id = …`, and the model's name where others share the log.
    pub(crate) fn of_record(
        &mut self,
        alias: &'static str,
        place: Place,
        record: impl Into<Value<'q>>,
    ) -> &mut Self {
        self.sql(alias).sql(".record_id = ").value(record).and_schema(alias, place)
    }

    /// `AND e.schema = …`, where other models share the log.
    pub(crate) fn and_schema(&mut self, alias: &'static str, place: Place) -> &mut Self {
        match place.schema {
            Some(schema) => self.sql(" AND ").sql(alias).sql(".schema = ").value(schema),
            None => self,
        }
    }

    /// A list of columns, each under the same alias: `t."id", t."name"`.
    pub(crate) fn columns(&mut self, prefix: &'static str, columns: &'q [&'static str]) -> &mut Self {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                self.sql(", ");
            }
            self.sql(prefix).identifier(column);
        }
        self
    }
}

impl<DB: Dialect, T: Text> QueryFragment<DB> for Statement<'_, DB, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for part in &self.parts {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Identifier(name) => out.push_identifier(name)?,
                Part::Value(value) => DB::push_value(value, out.reborrow())?,
                Part::Field(row, index) => row.push_field(*index, out.reborrow())?,
                Part::Table(push) => push(out.reborrow())?,
            }
        }
        Ok(())
    }

    // No part of a statement speaks against it, and finding that out anew would take a walk over all of them.
    fn is_safe_to_cache_prepared(&self, _: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<DB: Dialect, T: Text> QueryId for Statement<'_, DB, T> {
    type QueryId = T;
    const HAS_STATIC_QUERY_ID: bool = T::FIXED;
}

impl<DB: Dialect, T: Text> Query for Statement<'_, DB, T> {
    type SqlType = Untyped;
}

impl<Conn, DB: Dialect, T: Text> diesel::RunQueryDsl<Conn> for Statement<'_, DB, T> {}

impl<DB: Dialect, T> fmt::Debug for Statement<'_, DB, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

// The parts of which statements are made are spelled out where they are used.
impl From<Uuid> for Value<'_> {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}
impl<'q> From<&'q str> for Value<'q> {
    fn from(value: &'q str) -> Self {
        Self::Text(value)
    }
}
impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::BigInt(value)
    }
}
impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}
impl From<DateTime<Utc>> for Value<'_> {
    fn from(value: DateTime<Utc>) -> Self {
        Self::Time(value)
    }
}
