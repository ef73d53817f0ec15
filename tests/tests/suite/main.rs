//! Every behaviour, once, in four settings: each module below is compiled once for each of them.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "bad_input.rs"]
            mod bad_input;
            #[path = "batches.rs"]
            mod batches;
            #[path = "commands.rs"]
            mod commands;
            #[path = "concurrency.rs"]
            mod concurrency;
            #[path = "conflicts.rs"]
            mod conflicts;
            #[path = "drift.rs"]
            mod drift;
            #[path = "invariants.rs"]
            mod invariants;
            #[path = "keys.rs"]
            mod keys;
            #[path = "reading.rs"]
            mod reading;
            #[path = "versions.rs"]
            mod versions;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite,
    async_sqlite: AsyncSqlite,
    sync_postgres: SyncPostgres,
    async_postgres: AsyncPostgres
);
