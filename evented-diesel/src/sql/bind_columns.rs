//! Writes a model's table and columns into a statement. `#[derive(Evented)]` implements both traits, for every database
//! that has the types of the model's columns.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;

/// Writes the name of a model's table.
pub trait NamedTable<DB: Backend> {
    /// Writes the name, with its schema if it has one.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn push_table(out: AstPass<'_, '_, DB>) -> QueryResult<()>;
    /// Writes the name of a column of the key, with the name of the table, as Diesel does. The index is that of
    /// [`Model::KEY_COLUMNS`](crate::Model::KEY_COLUMNS).
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn push_key_column(index: usize, out: AstPass<'_, '_, DB>) -> QueryResult<()>;
}

/// Binds the values of a row's columns. A statement holds a row as this trait, without knowing the model.
pub trait BindColumns<DB: Backend>: Send + Sync {
    /// Binds the value of a column, by its index in [`Model::WRITTEN`](crate::Model::WRITTEN).
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn push_field<'b>(&'b self, index: usize, out: AstPass<'_, 'b, DB>) -> QueryResult<()>;
    /// Converts the value of a column into the type that is bound, for a field with `#[diesel(serialize_as = …)]`;
    /// `None` for any other: [`push_field`](Self::push_field) binds it from a reference.
    fn converted_field(&self, index: usize) -> Option<ConvertedField<DB>> {
        let _ = index;
        None
    }
}

/// Binds the values that the filters and orders of a model's live queries compare fields with.
pub trait BindOperands<DB: Backend> {
    /// Binds a value of the type of a field, by the index of the field in
    /// [`LiveModel::LiveFields`](evented_core::live::LiveModel::LiveFields).
    ///
    /// # Errors
    ///
    /// A value of another type; errors of Diesel.
    fn push_operand<'b>(
        field: usize,
        value: &'b (dyn Any + Send + Sync),
        out: AstPass<'_, 'b, DB>,
    ) -> QueryResult<()>;
}

/// The value of a field with `#[diesel(serialize_as = …)]`, as the type that is bound. Diesel binds references, so a
/// statement keeps the converted value.
pub struct ConvertedField<DB: Backend>(Box<dyn QueryFragment<DB> + Send + Sync>);

impl<DB: Backend> ConvertedField<DB> {
    /// A value that is bound as the SQL type `ST`.
    pub fn new<ST, T>(value: T) -> Self
    where
        ST: 'static,
        T: ToSql<ST, DB> + Send + Sync + 'static,
        DB: HasSqlType<ST>,
    {
        Self(Box::new(Converted::<ST, T> { value, sql_type: PhantomData }))
    }

    /// Binds the value.
    pub(crate) fn push<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

impl<DB: Backend> fmt::Debug for ConvertedField<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConvertedField").finish_non_exhaustive()
    }
}

struct Converted<ST, T> {
    value: T,
    sql_type: PhantomData<fn() -> ST>,
}

impl<ST, T, DB> QueryFragment<DB> for Converted<ST, T>
where
    DB: Backend + HasSqlType<ST>,
    T: ToSql<ST, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_bind_param::<ST, T>(&self.value)
    }
}
