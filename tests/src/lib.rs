//! What the tests share: a database for each test in each of the four settings, and the models they play with.
//!
//! A setting is a database and a face: blocking or async, SQLite or PostgreSQL. [`db`] has one `Db` for each, with the
//! same methods, so that a behaviour is written once and compiled four times (see `tests/suite/main.rs`).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken expectation is a red test"
)]

pub mod agree;
pub mod book;
pub mod db;
pub mod fully_documented;
pub mod models;

/// The examples of the derive's reference, compiled and run: they need the whole library, which the derive's own
/// package has not.
#[cfg(doctest)]
#[doc = include_str!("../../evented-derive/docs/evented.md")]
pub struct DeriveReference;

/// Likewise those of the reference of logs.
#[cfg(doctest)]
#[doc = include_str!("../../evented-derive/docs/event_log.md")]
pub struct LogReference;
pub mod raw;
pub mod watch;
