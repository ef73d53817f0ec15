//! Tests the library together with Diesel: events as queries, pools, tasks, migrations.

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
use {awaiting, blocking};

macro_rules! settings {
    ($($setting:ident: $db:ident, $load:ident;)*) => {$(
        #[path = "with_diesel"]
        mod $setting {
            use super::$load as load;
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
