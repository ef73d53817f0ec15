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
            #[path = "log_reader.rs"]
            mod log_reader;
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

/// What is heard of changes is the same, whether the log is read or the write-ahead log.
macro_rules! sources {
    ($($source:ident: $db:ident $hub:ident),*) => {$(
        #[path = "."]
        mod $source {
            use evented_tests::db::$db as Db;
            #[allow(unused_imports, reason = "each source uses one")]
            use super::{log_hub, wal_hub};

            /// A hub for items and notes.
            async fn hub(db: &mut Db) -> evented_diesel::listen::Hub {
                $hub!(db)
            }

            /// The place by which a write has been told.
            async fn place<M: evented_diesel::Model>(
                db: &mut Db,
                written: &evented_diesel::Recorded<M>,
            ) -> evented_diesel::listen::Position {
                $hub!(db, written)
            }

            #[path = "hearing.rs"]
            mod hearing;
        }
    )*};
}

macro_rules! log_hub {
    ($db:ident) => {{
        use evented_tests::models::{Item, Note};
        $db.hub(evented_diesel::listen::Hub::of::<Item>().and::<Note>()).await
    }};
    ($db:ident, $written:ident) => {{
        let _ = $db;
        $written.position()
    }};
}
macro_rules! wal_hub {
    ($db:ident) => {{
        use evented_diesel::listen::{Hub, published};
        use evented_tests::models::{Item, Note};
        $db.sql("ALTER TABLE items REPLICA IDENTITY FULL; ALTER TABLE notes REPLICA IDENTITY FULL").await;
        let tables = published::<Item>().into_iter().chain(published::<Note>());
        $db.tailing_hub(Hub::tailing::<Item>().and::<Note>(), tables.collect()).await
    }};
    ($db:ident, $written:ident) => {{
        let _ = $written;
        $db.run(evented_diesel::listen::mark()).await.unwrap()
    }};
}
use {log_hub, wal_hub};

sources!(
    by_log_on_sync_sqlite: SyncSqlite log_hub,
    by_log_on_async_sqlite: AsyncSqlite log_hub,
    by_log_on_sync_postgres: SyncPostgres log_hub,
    by_log_on_async_postgres: AsyncPostgres log_hub,
    by_wal_on_sync_postgres: SyncPostgres wal_hub,
    by_wal_on_async_postgres: AsyncPostgres wal_hub
);

settings!(
    sync_sqlite: SyncSqlite,
    async_sqlite: AsyncSqlite,
    sync_postgres: SyncPostgres,
    async_postgres: AsyncPostgres
);
