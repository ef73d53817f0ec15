//! What only PostgreSQL has: rows as arrays, writers that really run at the same time, isolation levels, a server that hangs up.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "arrays.rs"]
            mod arrays;
            #[path = "connections.rs"]
            mod connections;
            #[path = "isolation.rs"]
            mod isolation;
            #[path = "races.rs"]
            mod races;

            /// Waits until a connection waits for a lock that another one holds.
            async fn waits(db: &mut Db, pid: i64) {
                let waiting = format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted");
                while db.number(&waiting).await == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    )*};
}

settings!(sync_postgres: SyncPostgres, async_postgres: AsyncPostgres);
