//! A database for each test, in each setting.

use std::sync::atomic::{AtomicU32, Ordering};

use evented_diesel::migrations::{Flavour, Migrations};

mod async_postgres;
mod async_sqlite;
mod sync_postgres;
mod sync_sqlite;

pub use async_postgres::AsyncPostgres;
pub use async_sqlite::AsyncSqlite;
pub use sync_postgres::SyncPostgres;
pub use sync_sqlite::SyncSqlite;

/// The server that `cargo xtask test` started.
///
/// # Panics
///
/// If there is none: the tests of PostgreSQL need one.
#[must_use]
pub fn postgres_url() -> String {
    std::env::var("EVENTED_TEST_POSTGRES")
        .expect("EVENTED_TEST_POSTGRES names no server: run the tests with `cargo xtask test`")
}

/// A PostgreSQL schema of the test's own, and the URL that leads into it.
fn fresh_schema() -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let url = format!("{}?options=-csearch_path%3D{name}", postgres_url());
    (name, url)
}

/// The SQL that makes every table of [`models`](crate::models), logs included.
#[must_use]
pub fn tables(flavour: Flavour) -> String {
    let tables = match flavour {
        Flavour::Postgres => include_str!("models/postgres.sql"),
        Flavour::Sqlite => include_str!("models/sqlite.sql"),
    };
    format!("{tables}\n{}", logs().up_sql(flavour))
}

/// The logs of every model.
pub fn logs() -> Migrations {
    use crate::models::racing::Racer;
    use crate::models::{Counter, Healed, Item, Note, Page, Strict};
    Migrations::new()
        .log::<Item>()
        .log::<Note>()
        .log::<Counter>()
        .log::<Page>()
        .log::<Strict>()
        .log::<Healed>()
        .log::<Racer>()
}

/// What a test reads of a table without knowing its setting.
#[derive(Debug, diesel::QueryableByName)]
pub(crate) struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(crate) count: i64,
}
