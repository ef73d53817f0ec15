//! Runs models of every shape through every command, on both databases, blocking and async.
//!
//! A test that needs a PostgreSQL server has `postgres` in its path, so that `cargo xtask test --sqlite` skips it.
#![allow(clippy::duplicate_mod, reason = "a module is compiled once for each setting")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod tables;

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "shapes"]
        mod $setting {
            use evented_tests::db::$db as Db;

            type Backend = <Db as evented_tests::db::Setting>::Backend;

            /// Creates a database with the tables of the models, as an application has them, and with their logs.
            async fn fresh() -> Db {
                let mut db = Db::new().await;
                db.sql(&crate::tables::sql(Db::DATABASE)).await;
                db
            }

            #[path = "growing.rs"]
            mod growing;
            #[path = "lives.rs"]
            mod lives;
            #[path = "keys.rs"]
            mod keys;
            #[path = "logs.rs"]
            mod logs;
            #[path = "names.rs"]
            mod names;
            #[path = "pairs.rs"]
            mod pairs;
            #[path = "structs.rs"]
            mod structs;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite,
    async_sqlite: AsyncSqlite,
    sync_postgres: SyncPostgres,
    async_postgres: AsyncPostgres
);

mod admin;
mod multi;
mod uuids;
mod wal;
