//! What the derive says about a model's tables.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::deserialize;
use diesel::query_builder::AstPass;
use diesel::row::Row;
use evented_core::{Evented, KeyValue};

use crate::backend::Dialect;
use crate::error::Error;
use crate::event::Event;
use crate::log::{EventLog, Holds, Place};
use crate::prepare::Draft;
use crate::run::driver::Driver;

/// A model with its tables. Written by `#[derive(Evented)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an evented model",
    label = "`#[derive(Evented)]` is missing",
    note = "add `Evented` to the derives of `{Self}`, next to Diesel's own"
)]
pub trait Model: Evented {
    /// The log of its events.
    type Log: EventLog + Holds<Self>;
    /// Its events as Diesel's associations begin with them: the log's table, or the part of it that is this model's.
    #[doc(hidden)]
    type Events: diesel::Table + Default;

    /// Whether it has a table; otherwise its state is in the log alone.
    const HAS_TABLE: bool = true;
    /// Whether it has a hook before its events are written, `#[evented(prepare = …)]`.
    const PREPARES: bool = false;
    /// The key's column.
    const KEY_COLUMN: &'static str;
    /// Every column, in the order [`Rows::read`] takes them.
    const COLUMNS: &'static [&'static str];
    /// The column of each recorded field, then that of the revision if there is one: the order of
    /// [`Bind::push_field`].
    const WRITTEN: &'static [&'static str];

    /// Where the events of a record are.
    #[doc(hidden)]
    fn place(record: &KeyValue) -> Place {
        Place::of::<Self::Log>(Self::SCHEMA, record)
    }
    /// Where the events of all records are.
    #[doc(hidden)]
    fn places() -> Place {
        Place::whole::<Self::Log>(Self::SCHEMA)
    }
}

/// How a model's rows are read from and bound to one database. Written by `#[derive(Evented)]`, for every database
/// that has the types of the model's columns.
pub trait Rows<DB: Dialect>: Model + Bind<DB> {
    /// Writes the table's name.
    ///
    /// # Errors
    ///
    /// None of its own; what Diesel says is passed on.
    fn push_table(out: AstPass<'_, '_, DB>) -> QueryResult<()>;
    /// Reads a row's columns, from the given index on.
    ///
    /// # Errors
    ///
    /// A column whose value does not have the form of its field.
    fn read<'a>(row: &impl Row<'a, DB>, from: usize) -> deserialize::Result<Self>;
    /// The hook before an event is written, `#[evented(prepare = …)]`. It runs in the transaction of the write, with the
    /// complete history of the record, oldest first.
    ///
    /// # Errors
    ///
    /// Whatever the hook refuses; nothing is written then.
    fn prepare<D: Driver<DB>>(
        draft: &mut Draft<Self>,
        history: &[Event<Self>],
        conn: &mut D,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (draft, history, conn);
        std::future::ready(Ok(()))
    }
}

/// The part of [`Rows`] that a statement may hold without knowing the model.
pub trait Bind<DB: Backend>: Send + Sync {
    /// Binds the value of a column, by its index in [`Model::WRITTEN`].
    ///
    /// # Errors
    ///
    /// None of its own; what Diesel says is passed on.
    fn push_field<'b>(&'b self, index: usize, out: AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

/// Reads one column. The derive calls it.
///
/// # Errors
///
/// A value that does not have the form of a `T`.
pub fn column<'a, ST, T, DB>(row: &impl Row<'a, DB>, index: usize) -> deserialize::Result<T>
where
    DB: Backend,
    T: deserialize::FromSql<ST, DB>,
{
    use diesel::row::Field;
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    T::from_nullable_sql(field.value()).map_err(|error| {
        let name = field.field_name().unwrap_or_default();
        format!("column `{name}`: {error}").into()
    })
}
