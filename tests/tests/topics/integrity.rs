//! Tests the checks of logs, tables and savepoints, and the maintenance of whole tables, in each of the four settings.

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "integrity"]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "backfill.rs"]
            mod backfill;
            #[path = "checkpoints.rs"]
            mod checkpoints;
            #[path = "formats.rs"]
            mod formats;
            #[path = "exact_keys.rs"]
            mod exact_keys;
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
