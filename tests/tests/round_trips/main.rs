//! How often a write waits for the server, counted by a proxy on the way there.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod proxy;

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "."]
        mod $setting {
            use crate::proxy::{Proxy, Trips};
            use evented_tests::db::$db as Db;

            #[path = "writes.rs"]
            mod writes;

            /// A fresh database, and a connection to it that leads through a proxy.
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
