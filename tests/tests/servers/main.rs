//! Tests that need separate servers or processes: killed writers, servers that crash or stop, copied logs, and the
//! write-ahead log as a stream.
//!
//! A test that needs a PostgreSQL server has `postgres` or `wal` in its path, so that `cargo xtask test --sqlite` skips
//! it.
#![cfg(unix)]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod crash;
mod kill;
mod listen;
mod wal;
