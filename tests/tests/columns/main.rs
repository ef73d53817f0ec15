//! Every type of column: it comes back as it was, and the log agrees; or it is refused with words.
#![allow(clippy::await_holding_refcell_ref, reason = "one case runs at a time, on one thread")]
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

mod postgres_values;
mod sqlite_values;
mod values;

/// A runner of so many cases, or of as many times more as the environment asks for.
fn cases(cases: u32) -> TestRunner {
    let times = std::env::var("EVENTED_TEST_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let config = Config { cases: cases * times, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::XorShift))
}

macro_rules! settings {
    ($($setting:ident: $db:ident, $models:ident, $values:ident, $lossy:literal;)*) => {$(
        #[path = "."]
        mod $setting {
            use crate::$values as values;
            use evented_diesel::migrations::Migrations;
            use evented_tests::db::$db as Db;
            use evented_tests::models::columns::$models as models;

            #[path = "kinds.rs"]
            mod kinds;
            #[path = $lossy]
            mod lossy;

            /// A database with the tables of the columns, too.
            async fn fresh() -> Db {
                let logs = Migrations::new()
                    .log::<models::Kinds>()
                    .log::<models::NullableKinds>()
                    .log::<models::Lossy>();
                let mut db = Db::new().await;
                db.sql(models::TABLES).await;
                db.sql(&logs.up_sql(Db::FLAVOUR)).await;
                db
            }
        }
    )*};
}

settings!(
    sync_postgres: SyncPostgres, pg, postgres_values, "postgres_lossy.rs";
    async_postgres: AsyncPostgres, pg, postgres_values, "postgres_lossy.rs";
    sync_sqlite: SyncSqlite, sqlite, sqlite_values, "sqlite_lossy.rs";
    async_sqlite: AsyncSqlite, sqlite, sqlite_values, "sqlite_lossy.rs";
);
