//! Counts how often a write waits for the server, with a proxy in between.

mod proxy;

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "round_trips"]
        mod $setting {
            use super::proxy::{Proxy, Trips};
            use evented_tests::db::$db as Db;

            #[path = "writes.rs"]
            mod writes;

            /// Creates a new database, and a connection to it through a proxy.
            async fn watched() -> (Db, Db, Trips) {
                let mut db = Db::new().await;
                let (proxy, trips) = Proxy::before(&db.url);
                let direct = db.connect().await;
                db.url = proxy.url();
                (db.connect().await, direct, trips)
            }
        }
    )*};
}

settings!(sync_postgres: SyncPostgres, async_postgres: AsyncPostgres);
