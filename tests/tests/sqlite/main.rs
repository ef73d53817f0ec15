//! What only SQLite has: one writer at a time, and transactions that find out late that they may not write.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "isolation.rs"]
            mod isolation;
        }
    )*};
}

settings!(sync_sqlite: SyncSqlite, async_sqlite: AsyncSqlite);
