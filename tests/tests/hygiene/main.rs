//! Tests the guarantees of the derive about the surrounding code. Each file is named after one guarantee; it compiles a
//! model under the conditions of the guarantee and runs it.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![deny(future_incompatible, reason = "a lint of whole crates; see `no_lint_fires`")]

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use evented_diesel::migrations::{Database, Migrations};

mod a_crate_of_another_name;
mod a_log_in_another_schema;
mod a_log_table_of_ones_own;
mod a_model_from_a_macro;
mod a_model_in_a_function;
mod a_wide_model;
mod either_prelude_beside_diesels;
mod inputs_of_ones_own;
mod keys_of_ones_own_types;
mod names_of_the_standard_prelude;
mod names_that_are_keywords;
mod no_lint_fires;
mod no_prelude_at_all;
mod old_names_of_inserts;
mod private_models;
mod values_that_are_null;

/// Creates a database in memory with these tables and logs.
fn database(tables: &str, logs: &Migrations) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").expect("a connection");
    conn.batch_execute(tables).expect("the tables");
    conn.batch_execute(&logs.up_sql(Database::Sqlite)).expect("the logs");
    conn
}
