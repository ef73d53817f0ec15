//! The library among Diesel's own: events as queries, pools, tasks, migrations.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod migrations;
mod pools;

macro_rules! blocking {
    ($query:expr, $conn:expr) => {
        diesel::RunQueryDsl::load($query, $conn).unwrap()
    };
}
macro_rules! awaiting {
    ($query:expr, $conn:expr) => {
        diesel_async::RunQueryDsl::load($query, $conn).await.unwrap()
    };
}
pub(crate) use {awaiting, blocking};

macro_rules! settings {
    ($($setting:ident: $db:ident, $load:ident;)*) => {$(
        #[path = "."]
        mod $setting {
            use crate::$load as load;
            use evented_tests::db::$db as Db;

            #[path = "queries.rs"]
            mod queries;
            #[path = "shared_logs.rs"]
            mod shared_logs;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite, blocking;
    async_sqlite: AsyncSqlite, awaiting;
    sync_postgres: SyncPostgres, blocking;
    async_postgres: AsyncPostgres, awaiting;
);
