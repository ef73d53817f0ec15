//! Writes a model's table and columns into a statement. `#[derive(Evented)]` implements both traits, for every database
//! that has the types of the model's columns.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::AstPass;

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
}
