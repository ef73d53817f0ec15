//! Shared code of the tests: a database for each test in each of the four settings, and the test models.
//!
//! A setting is a database (SQLite or PostgreSQL) with a kind of connection (blocking or async). [`db`] has one `Db`
//! for each setting, with the same methods, so that a behaviour is written once and compiled four times (see
//! `tests/suite/settings.rs`).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken expectation is a red test"
)]

pub mod agree;
pub mod book;
pub mod db;
pub mod drain;
pub mod fully_documented;
pub mod models;

/// Compiles and runs the examples of the derive's reference here: they need the whole library, which the derive's own
/// package does not have.
#[cfg(doctest)]
#[doc = include_str!("../../evented-derive/docs/evented.md")]
pub struct DeriveReference;

/// Compiles and runs the examples of the reference of logs.
#[cfg(doctest)]
#[doc = include_str!("../../evented-derive/docs/event_log.md")]
pub struct LogReference;

/// Compiles and runs the examples of the reference of domain events.
#[cfg(doctest)]
#[doc = include_str!("../../evented-derive/docs/domain_event.md")]
pub struct DomainEventReference;

/// Compiles and runs the examples of the reference of trees.
#[cfg(doctest)]
#[doc = include_str!("../../evented-derive/docs/tree.md")]
pub struct TreeReference;

/// Compiles and runs the examples of the reference of buses.
#[cfg(doctest)]
#[doc = include_str!("../../evented-derive/docs/bus.md")]
pub struct BusReference;
pub mod raw;
pub mod watch;
