//! The write-ahead log as a stream, on a server that writes it.
#![cfg(unix)]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod changes;
#[path = "../listen/comes_back.rs"]
mod comes_back;
mod errors;
mod hub;
#[path = "../crash/kill.rs"]
mod kill;
mod killed;
mod memory;
mod others;
mod promises;
mod proxy;
mod resume;
mod resuming;
mod rows;
mod server;
mod setup;
mod stage;
mod tls;
