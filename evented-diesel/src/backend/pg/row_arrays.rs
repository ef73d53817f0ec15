//! Inserts or updates many rows in one statement. Each column is one array, so the server plans one node for any number of rows.
//! `VALUES` would prepare an expression for each value.
//!
//! A model binds the values of one row at a time. This module combines their bytes into arrays. If it cannot build the
//! arrays, the caller falls back to `VALUES`.

use diesel::QueryResult;
use diesel::pg::{Pg, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AstPass, QueryFragment};
use evented_core::KeyValue;

use crate::exec::Executor;
use crate::model::ModelOn;
use crate::sql::{BindColumns, ConvertedField, SqlTypes, Statement};
use crate::statements::{TableKey, insert_from, push_update, update_from};

mod array_types;
mod column;

use array_types::Types;
use column::Column;

/// The maximum number of rows that one statement inserts.
const ROWS_PER_STATEMENT: usize = 4_096;
/// The approximate maximum of bytes that one statement binds. With large rows, a statement inserts fewer of them.
const BYTES_PER_STATEMENT: usize = 4 << 20;

/// The number of rows from which on it is worth querying the database for types, which takes a round trip.
const ASKS_FOR_TYPES_FROM: usize = 64;

/// The rows that are left to write.
pub(super) struct RemainingRows<'r, M> {
    rows: &'r [(KeyValue, &'r M)],
    /// The columns to write beside the key, by their index in [`Model::WRITTEN`](crate::Model::WRITTEN).
    fields: Vec<usize>,
    types: Types,
}

impl<'r, M: ModelOn<Pg>> RemainingRows<'r, M> {
    /// Starts with all rows and all columns.
    pub(super) async fn all<D: Executor<Pg>>(
        executor: &mut D,
        rows: &'r [(KeyValue, &'r M)],
    ) -> QueryResult<Self> {
        Self::of_fields(executor, rows, (0..M::WRITTEN.len()).collect()).await
    }

    /// Starts with all rows, and some columns beside the key. If there are many rows, this queries the database for the
    /// column types that are known only by name.
    pub(super) async fn of_fields<D: Executor<Pg>>(
        executor: &mut D,
        rows: &'r [(KeyValue, &'r M)],
        fields: Vec<usize>,
    ) -> QueryResult<Self> {
        let mut types = Types::default();
        if rows.len() >= ASKS_FOR_TYPES_FROM
            && let Some((key, row)) = rows.first()
        {
            Row::of(key, *row, &fields).collect_binds(&mut RawBytesBindCollector::new(), &mut types, &Pg)?;
            types.find(executor).await?;
        }
        Ok(Self { rows, fields, types })
    }

    /// Returns as many rows as one statement takes; `None` at the end, or if the rows cannot be converted to arrays.
    pub(super) fn next(&mut self) -> QueryResult<Option<RowColumns>> {
        let (mut columns, mut bytes, mut taken): (Vec<Column>, _, _) = (Vec::new(), 0, 0);
        let mut binds = RawBytesBindCollector::<Pg>::new();
        for (key, row) in self.rows.iter().take(ROWS_PER_STATEMENT) {
            Row::of(key, *row, &self.fields).collect_binds(&mut binds, &mut self.types, &Pg)?;
            if taken == 0 {
                let Some(of_row) = binds.metadata.iter().map(Column::of).collect() else { return Ok(None) };
                columns = of_row;
            }
            if !self.types.are_known() || binds.binds.len() != columns.len() {
                return Ok(None);
            }
            let types = binds.metadata.drain(..);
            for ((column, ty), value) in columns.iter_mut().zip(types).zip(binds.binds.drain(..)) {
                let Some(more) = column.push(&ty, value.as_deref()) else { return Ok(None) };
                bytes += more;
            }
            taken += 1;
            if bytes >= BYTES_PER_STATEMENT {
                break;
            }
        }
        self.rows = self.rows.get(taken..).unwrap_or_default();
        let mut arrays = RawBytesBindCollector::<Pg>::new();
        for column in columns {
            arrays.metadata.push(PgTypeMetadata::new(column.array_oid, 0));
            arrays.binds.push(Some(column.array()));
        }
        Ok((taken > 0).then_some(RowColumns(arrays)))
    }

    /// Returns the rows that [`RemainingRows::next`] has not returned.
    pub(super) fn rest(&self) -> &'r [(KeyValue, &'r M)] {
        self.rows
    }
}

/// The columns of several rows, as arrays.
pub(super) struct RowColumns(RawBytesBindCollector<Pg>);

impl RowColumns {
    /// Inserts the rows, with their keys.
    pub(super) fn insert<M: ModelOn<Pg>>(&self) -> Statement<'_, Pg> {
        let mut statement = insert_from::<Pg, M>();
        statement.sql(" SELECT ").field(self, 0);
        statement
    }

    /// Writes these columns of the rows, and returns the rows.
    pub(super) fn update<M: ModelOn<Pg>>(&self, columns: &[usize]) -> Statement<'_, Pg> {
        let mut statement = update_from::<Pg, M>(columns);
        statement.sql("SELECT ").field(self, 0);
        push_update::<Pg, M>(&mut statement, columns);
        statement.sql(" RETURNING ").columns("t.", M::COLUMNS);
        statement
    }
}

impl BindColumns<Pg> for RowColumns {
    /// Binds all columns at once: they are the only binds of their statement.
    fn push_field<'b>(&'b self, _: usize, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Several `unnest` in the select list advance in parallel. In `FROM`, each would be copied into a table of its
        // own first.
        for column in 1..=self.0.binds.len() {
            out.push_sql(&format!("{}unnest(${column})", if column == 1 { "" } else { ", " }));
        }
        out.push_bind_collector_data(&self.0)
    }
}

/// The binds of one row.
struct Row<'a, M> {
    key: TableKey<'a>,
    row: &'a M,
    fields: &'a [usize],
    /// The fields that are bound as another type, by their index in [`Model::WRITTEN`](crate::Model::WRITTEN).
    converted: Vec<(usize, ConvertedField<Pg>)>,
}

impl<'a, M: ModelOn<Pg>> Row<'a, M> {
    fn of(key: &'a KeyValue, row: &'a M, fields: &'a [usize]) -> Self {
        let converted = |field: &usize| Some((*field, row.converted_field(*field)?));
        let converted = fields.iter().filter_map(converted).collect();
        Self { key: TableKey::of::<M>(key), row, fields, converted }
    }
}

impl<M: ModelOn<Pg>> QueryFragment<Pg> for Row<'_, M> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match &self.key {
            TableKey::Same(value) => Pg::push_value(value, out.reborrow())?,
            TableKey::Parts(parts) => {
                parts.iter().try_for_each(|part| Pg::push_key_part(part, out.reborrow()))?;
            }
        }
        self.fields.iter().try_for_each(|field| {
            match self.converted.iter().find(|(converted, _)| converted == field) {
                Some((_, converted)) => converted.push(out.reborrow()),
                None => self.row.push_field(*field, out.reborrow()),
            }
        })
    }
}
