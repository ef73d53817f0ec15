//! Tests for SQLite only: one writer at a time, and transactions that learn late that they may not write.

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "sqlite"]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "isolation.rs"]
            mod isolation;
        }
    )*};
}

settings!(sync_sqlite: SyncSqlite, async_sqlite: AsyncSqlite);
