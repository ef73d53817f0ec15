//! Tests what the library reports to `tracing`: the stable names and fields.

mod recorder;

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "observing"]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "events.rs"]
            mod events;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite,
    async_sqlite: AsyncSqlite,
    sync_postgres: SyncPostgres,
    async_postgres: AsyncPostgres
);
