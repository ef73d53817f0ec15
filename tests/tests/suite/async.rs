//! Tests the behaviours of `suite_blocking` on async connections. Two programs compile in parallel.
//! No test here starts a server or kills a process: see `servers` for that.
//!
//! A test that needs a PostgreSQL server has `postgres` in its path, so that `cargo xtask test --sqlite` skips it.
#![allow(clippy::await_holding_refcell_ref, reason = "one case runs at a time, on one thread")]
#![allow(clippy::duplicate_mod, reason = "a module is compiled once for each setting")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod settings;

use settings::{settings, sources};

sources!(
    by_log_on_async_sqlite: AsyncSqlite log_hub,
    by_log_on_async_postgres: AsyncPostgres log_hub,
    by_wal_on_async_postgres: AsyncPostgres wal_hub
);

settings!(async_sqlite: AsyncSqlite, async_postgres: AsyncPostgres);
