//! Tests subscribers, projections and workers, in every setting.
//!
//! A test that needs a PostgreSQL server has `postgres` in its path, so that `cargo xtask test --sqlite` skips it.
#![allow(clippy::duplicate_mod, reason = "a module is compiled once for each setting")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod recorder;
mod sqlite;
mod test_kit;

/// The tests of all behaviours, once for each setting.
macro_rules! settings {
    ($($setting:ident: $conn:ty),*) => {$(
        #[path = "behaviours"]
        mod $setting {
            type Conn = $conn;

            #[path = "admin.rs"]
            mod admin;
            #[path = "copies.rs"]
            mod copies;
            #[path = "delayed.rs"]
            mod delayed;
            #[path = "deliveries.rs"]
            mod deliveries;
            #[path = "domain_events.rs"]
            mod domain_events;
            #[path = "effects.rs"]
            mod effects;
            #[path = "failures.rs"]
            mod failures;
            #[path = "inline.rs"]
            mod inline;
            #[path = "metrics.rs"]
            mod metrics;
            #[path = "projections.rs"]
            mod projections;
            #[path = "resizing.rs"]
            mod resizing;
            #[path = "schedules.rs"]
            mod schedules;
            #[path = "versions.rs"]
            mod versions;
            #[path = "workers.rs"]
            mod workers;
        }
    )*};
}

settings!(
    sync_sqlite: diesel::SqliteConnection,
    sync_postgres: diesel::PgConnection,
    async_sqlite: diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>,
    async_postgres: diesel_async::AsyncPgConnection
);
