//! Builds SQL statements as values, for any database. Nothing here knows a model or runs a statement.

mod bind_columns;
mod database;
mod event_table;
mod fitted_name;
mod key_list;
mod log_name;
#[cfg(feature = "__pg")]
mod postgres;
mod read_column;
#[cfg(feature = "sqlite")]
mod sqlite_types;
mod statement;
mod types;
mod value;

pub use bind_columns::{BindColumns, BindOperands, ConvertedField, NamedTable};
pub use database::Database;
pub use event_table::EventTable;
pub(crate) use fitted_name::{fitted, fitted_to};
pub use key_list::KeyList;
pub use log_name::LogName;
pub use read_column::optional;
pub(crate) use read_column::{field, read_time};
pub use statement::{Statement, Text};
pub use types::SqlTypes;
pub use value::Value;
