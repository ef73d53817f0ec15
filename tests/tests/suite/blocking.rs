//! Tests the behaviours that every setting shares, on blocking connections and from each source of changes.
//! No test here starts a server or kills a process: see `servers` for that.
//!
//! A test that needs a PostgreSQL server has `postgres` in its path, so that `cargo xtask test --sqlite` skips it.
#![allow(clippy::await_holding_refcell_ref, reason = "one case runs at a time, on one thread")]
#![allow(clippy::duplicate_mod, reason = "a module is compiled once for each setting")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod settings;

use settings::{settings, sources};

sources!(
    by_log_on_sync_sqlite: SyncSqlite log_hub,
    by_log_on_sync_postgres: SyncPostgres log_hub,
    by_wal_on_sync_postgres: SyncPostgres wal_hub
);

settings!(sync_sqlite: SyncSqlite, sync_postgres: SyncPostgres);
