//! Tests live values, in every setting.
//!
//! A test that needs a PostgreSQL server has `postgres` in its path, so that `cargo xtask test --sqlite` skips it.
#![allow(clippy::duplicate_mod, reason = "a module is compiled once for each setting")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod pages;
mod watchers;

/// The tests of all behaviours, once for each setting.
macro_rules! settings {
    ($($setting:ident: $conn:ty, $source:ident;)*) => {$(
        #[path = "behaviours"]
        mod $setting {
            type Conn = $conn;
            type Source = evented_live_tests::$source;
            type World = evented_live_tests::World<Conn>;

            #[path = "law.rs"]
            mod law;
            #[path = "policies.rs"]
            mod policies;
            #[path = "plain.rs"]
            mod plain;
            #[path = "requeries.rs"]
            mod requeries;
            #[path = "sets.rs"]
            mod sets;
            #[path = "trees.rs"]
            mod trees;
            #[path = "tree_law.rs"]
            mod tree_law;
            #[path = "trouble.rs"]
            mod trouble;
            #[path = "values.rs"]
            mod values;
            #[path = "watch_law.rs"]
            mod watch_law;
            #[path = "watches.rs"]
            mod watches;
            #[path = "windows.rs"]
            mod windows;
        }
    )*};
}

settings! {
    sync_sqlite: diesel::SqliteConnection, Log;
    async_sqlite: diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>, Log;
    sync_postgres_log: diesel::PgConnection, Log;
    async_postgres_log: diesel_async::AsyncPgConnection, Log;
    sync_postgres_wal: diesel::PgConnection, Wal;
    async_postgres_wal: diesel_async::AsyncPgConnection, Wal;
}

/// The tests of what is read: the statements are the same over both sources.
macro_rules! agreement {
    ($($setting:ident: $conn:ty;)*) => {$(
        #[path = "behaviours"]
        mod $setting {
            type Source = evented_live_tests::Log;
            type World = evented_live_tests::World<$conn>;

            #[path = "agreement.rs"]
            mod agreement;
        }
    )*};
}

agreement! {
    sqlite: diesel::SqliteConnection;
    postgres: diesel_async::AsyncPgConnection;
}
