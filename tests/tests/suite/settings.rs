//! Makes the tests of every behaviour for a setting: each module below is compiled once for each setting.

/// The tests of all behaviours, once for each setting.
macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "behaviours"]
        mod $setting {
            use evented_tests::db::$db as Db;
            use evented_tests::models::shared;

            type Backend = <Db as evented_tests::db::Setting>::Backend;

            /// Creates a database that also has the tables of the models with shared logs.
            async fn fresh() -> Db {
                let mut db = Db::new().await;
                db.sql(&shared::tables(Db::DATABASE)).await;
                db
            }

            #[path = "adoptions.rs"]
            mod adoptions;
            #[path = "bad_input.rs"]
            mod bad_input;
            #[path = "batches.rs"]
            mod batches;
            #[path = "cascades.rs"]
            mod cascades;
            #[path = "commands.rs"]
            mod commands;
            #[path = "concurrency.rs"]
            mod concurrency;
            #[path = "conflicts.rs"]
            mod conflicts;
            #[path = "defaults.rs"]
            mod defaults;
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
            #[path = "long_histories.rs"]
            mod long_histories;
            #[path = "log_only.rs"]
            mod log_only;
            #[path = "many_rows.rs"]
            mod many_rows;
            #[path = "before_append.rs"]
            mod before_append;
            #[path = "publishing.rs"]
            mod publishing;
            #[path = "reading.rs"]
            mod reading;
            #[path = "refusals.rs"]
            mod refusals;
            #[path = "savepoint_policy.rs"]
            mod savepoint_policy;
            #[path = "saves.rs"]
            mod saves;
            #[path = "shards.rs"]
            mod shards;
            #[path = "shared_logs.rs"]
            mod shared_logs;
            #[path = "upserts.rs"]
            mod upserts;
            #[path = "versions.rs"]
            mod versions;
        }
    )*};
}

/// A feed delivers the same changes, whether the hub reads the log or the write-ahead log.
macro_rules! sources {
    ($($source:ident: $db:ident $hub:ident),*) => {$(
        #[path = "behaviours"]
        mod $source {
            use evented_tests::db::$db as Db;
            #[allow(unused_imports, reason = "each source uses one")]
            use crate::settings::{log_hub, wal_hub};

            /// Starts a hub for items and notes.
            async fn hub(db: &mut Db) -> evented_feed::Hub {
                $hub!(db)
            }

            /// Returns the position at which a write has been delivered.
            async fn delivered_at<M: evented_diesel::Model>(
                db: &mut Db,
                written: &evented_diesel::Recorded<M>,
            ) -> evented_feed::Position {
                $hub!(db, written)
            }

            #[path = "feeds.rs"]
            mod feeds;
        }
    )*};
}

macro_rules! log_hub {
    ($db:ident) => {{
        use evented_tests::models::{Item, Note};
        $db.hub(evented_feed::Hub::of::<Item>().and::<Note>()).await
    }};
    ($db:ident, $written:ident) => {{
        let _ = $db;
        $written.position()
    }};
}
macro_rules! wal_hub {
    ($db:ident) => {{
        use evented_feed::Hub;
        use evented_feed::wal::tables_of;
        use evented_tests::models::{Item, Note};
        $db.sql("ALTER TABLE items REPLICA IDENTITY FULL; ALTER TABLE notes REPLICA IDENTITY FULL").await;
        let tables = tables_of::<Item>().into_iter().chain(tables_of::<Note>());
        $db.tailing_hub(Hub::on_wal::<Item>().and::<Note>(), tables.collect()).await
    }};
    ($db:ident, $written:ident) => {{
        let _ = $written;
        $db.run(evented_feed::wal::mark()).await.unwrap()
    }};
}
pub(crate) use {log_hub, settings, sources, wal_hub};
