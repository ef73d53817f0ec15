//! Every behaviour, once, in four settings: each module below is compiled once for each of them.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;
            use evented_tests::models::shared;

            type Backend = <Db as evented_tests::db::Setting>::Backend;

            /// A database with the tables of the models that share logs, too.
            async fn fresh() -> Db {
                let mut db = Db::new().await;
                db.sql(&shared::tables(Db::FLAVOUR)).await;
                db
            }

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
            #[path = "hashes.rs"]
            mod hashes;
            #[path = "invariants.rs"]
            mod invariants;
            #[path = "keys.rs"]
            mod keys;
            #[path = "links.rs"]
            mod links;
            #[path = "listening.rs"]
            mod listening;
            #[path = "log_only.rs"]
            mod log_only;
            #[path = "prepare.rs"]
            mod prepare;
            #[path = "reading.rs"]
            mod reading;
            #[path = "savepoint_policy.rs"]
            mod savepoint_policy;
            #[path = "shards.rs"]
            mod shards;
            #[path = "shared_logs.rs"]
            mod shared_logs;
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
