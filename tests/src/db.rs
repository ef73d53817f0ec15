//! A database for each test, in each setting.

use evented_diesel::migrations::{Flavour, Migrations};
use evented_diesel::{Dialect, Error, Operation};

mod async_postgres;
mod async_sqlite;
mod sync_postgres;
mod sync_sqlite;

pub use async_postgres::AsyncPostgres;
pub use async_sqlite::AsyncSqlite;
pub use sync_postgres::SyncPostgres;
pub use sync_sqlite::SyncSqlite;

/// A setting, for code that is the same in each of them.
#[expect(async_fn_in_trait, reason = "nobody else implements it")]
pub trait Setting {
    /// The database behind the connection.
    type Backend: Dialect;
    /// Runs an operation.
    async fn run<Op: Operation<Self::Backend>>(&mut self, operation: Op) -> Result<Op::Output, Error>;
    /// Runs plain SQL.
    async fn sql(&mut self, sql: &str);
    /// The number that a query gives.
    async fn number(&mut self, sql: &str) -> i64;
}

macro_rules! setting {
    ($($db:ident: $backend:ty),*) => {$(
        impl Setting for $db {
            type Backend = $backend;
            async fn run<Op: Operation<$backend>>(&mut self, operation: Op) -> Result<Op::Output, Error> {
                $db::run(self, operation).await
            }
            async fn sql(&mut self, sql: &str) {
                $db::sql(self, sql).await;
            }
            async fn number(&mut self, sql: &str) -> i64 {
                $db::number(self, sql).await
            }
        }
    )*};
}
setting!(
    SyncPostgres: diesel::pg::Pg, AsyncPostgres: diesel::pg::Pg,
    SyncSqlite: diesel::sqlite::Sqlite, AsyncSqlite: diesel::sqlite::Sqlite
);

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
    // Process ids come round again, and a server may outlive many runs.
    let name = format!("t{}", uuid::Uuid::now_v7().simple());
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
    use crate::models::stepped::Stepped;
    use crate::models::{Counter, Healed, Item, Note, Page, Strict};
    Migrations::new()
        .log::<Item>()
        .log::<Note>()
        .log::<Counter>()
        .log::<Page>()
        .log::<Strict>()
        .log::<Healed>()
        .log::<Racer>()
        .log::<Stepped>()
}

/// What a test reads of a table without knowing its setting.
#[derive(Debug, diesel::QueryableByName)]
pub(crate) struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(crate) count: i64,
}
