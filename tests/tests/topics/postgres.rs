//! Tests for PostgreSQL only: rows as arrays, truly concurrent writers, isolation levels, a server that closes
//! connections.

mod cut;
mod translated;

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "postgres"]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "answers.rs"]
            mod answers;
            #[path = "arrays.rs"]
            mod arrays;
            #[path = "collations.rs"]
            mod collations;
            #[path = "connections.rs"]
            mod connections;
            #[path = "decimals.rs"]
            mod decimals;
            #[path = "isolation.rs"]
            mod isolation;
            #[path = "languages.rs"]
            mod languages;
            #[path = "locks.rs"]
            mod locks;
            #[path = "races.rs"]
            mod races;
            #[path = "refused.rs"]
            mod refused;
            #[path = "relations.rs"]
            mod relations;
            #[path = "rights.rs"]
            mod rights;

            /// Waits until a connection is blocked by a lock of another connection.
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
