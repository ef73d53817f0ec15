//! Tests the write-ahead log as a stream, on a real server.

mod changes;
mod errors;
mod hub;
mod killed;
mod memory;
mod others;
mod promises;
mod proxy;
mod published;
mod renamed;
mod resume;
mod resuming;
mod rows;
mod server;
mod setup;
mod stage;
mod tls;
