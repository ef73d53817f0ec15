//! Tests the behaviours that every setting shares: each database, blocking and async, and each source of changes.
//! No test here starts a server or kills a process: see `servers` for that.
//!
//! A test that needs a PostgreSQL server has `postgres` in its path, so that `cargo xtask test --sqlite` skips it.
#![allow(clippy::await_holding_refcell_ref, reason = "one case runs at a time, on one thread")]
#![allow(clippy::duplicate_mod, reason = "a module is compiled once for each setting")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod behaviours;
