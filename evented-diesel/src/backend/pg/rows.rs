//! Many rows in one statement: each column is one array, so that the server makes one plan, and one node of it, for any
//! number of them. `VALUES` prepares an expression for each value.
//!
//! A model binds the values of one row; arrays are put together of their bytes. Where they cannot be, `VALUES` it is.

use diesel::QueryResult;
use diesel::pg::{Pg, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AstPass, QueryFragment};
use evented_core::KeyValue;

use crate::backend::Dialect;
use crate::model::{Bind, Rows};
use crate::run::driver::Driver;
use crate::statement::{Statement, Value, insert_from};

mod column;
mod types;

use column::Column;
use types::Types;

/// How many rows one statement inserts.
const ROWS: usize = 4_096;
/// About how many bytes one statement binds: of large rows it inserts fewer.
const BYTES: usize = 4 << 20;

/// From how many rows on the database is asked for types, which takes a way to it and back.
const MANY: usize = 64;

/// Rows that are left to insert.
pub(super) struct Remaining<'r, M> {
    rows: &'r [(KeyValue, &'r M)],
    types: Types,
}

impl<'r, M: Rows<Pg>> Remaining<'r, M> {
    /// All of them. Asks the database for the types of their columns that have names only, if there are many.
    pub(super) async fn all<D: Driver<Pg>>(
        driver: &mut D,
        rows: &'r [(KeyValue, &'r M)],
    ) -> QueryResult<Self> {
        let mut types = Types::default();
        if rows.len() >= MANY
            && let Some((key, row)) = rows.first()
        {
            Row { key: key.into(), row: *row }.collect_binds(
                &mut RawBytesBindCollector::new(),
                &mut types,
                &Pg,
            )?;
            types.find(driver).await?;
        }
        Ok(Self { rows, types })
    }

    /// As many as one statement takes; `None` at the end, and where no arrays can be made of the rows.
    pub(super) fn next(&mut self) -> QueryResult<Option<RowColumns>> {
        let (mut columns, mut bytes, mut taken): (Vec<Column>, _, _) = (Vec::new(), 0, 0);
        let mut binds = RawBytesBindCollector::<Pg>::new();
        for (key, row) in self.rows.iter().take(ROWS) {
            Row { key: key.into(), row: *row }.collect_binds(&mut binds, &mut self.types, &Pg)?;
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
            if bytes >= BYTES {
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

    /// Those that [`Remaining::next`] has not given.
    pub(super) fn rest(&self) -> &'r [(KeyValue, &'r M)] {
        self.rows
    }
}

/// The columns of some rows, as arrays.
pub(super) struct RowColumns(RawBytesBindCollector<Pg>);

impl RowColumns {
    /// Inserts the rows, with their keys.
    pub(super) fn insert<M: Rows<Pg>>(&self) -> Statement<'_, Pg> {
        let mut statement = insert_from::<Pg, M>();
        statement.sql(" SELECT ").field(self, 0);
        statement
    }
}

impl Bind<Pg> for RowColumns {
    /// All of them at once: they are the only binds of their statement.
    fn push_field<'b>(&'b self, _: usize, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Side by side they are read as one. In `FROM`, each would be copied into a table of its own first.
        for column in 1..=self.0.binds.len() {
            out.push_sql(&format!("{}unnest(${column})", if column == 1 { "" } else { ", " }));
        }
        out.push_bind_collector_data(&self.0)
    }
}

/// What one row binds.
struct Row<'a, M> {
    key: Value<'a>,
    row: &'a M,
}

impl<M: Rows<Pg>> QueryFragment<Pg> for Row<'_, M> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        Pg::push_value(&self.key, out.reborrow())?;
        (0..M::WRITTEN.len()).try_for_each(|field| self.row.push_field(field, out.reborrow()))
    }
}
