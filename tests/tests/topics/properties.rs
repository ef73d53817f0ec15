//! Property tests: after any sequence of commands and of changes without the log, a record's log replays to its row.

mod paths;

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "properties"]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "items.rs"]
            mod items;
            #[path = "pages.rs"]
            mod pages;
            #[path = "tables.rs"]
            mod tables;
        }
    )*};
}

settings!(sync_sqlite: SyncSqlite, sync_postgres: SyncPostgres);
