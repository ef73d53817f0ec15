//! Checks of logs, tables and savepoints, and what is done to whole tables: in each of the four settings.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod models;

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "bring_up.rs"]
            mod bring_up;
            #[path = "checkpoints.rs"]
            mod checkpoints;
            #[path = "formats.rs"]
            mod formats;
            #[path = "rebuild.rs"]
            mod rebuild;
            #[path = "tables.rs"]
            mod tables;
            #[path = "tamper.rs"]
            mod tamper;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite,
    async_sqlite: AsyncSqlite,
    sync_postgres: SyncPostgres,
    async_postgres: AsyncPostgres
);
