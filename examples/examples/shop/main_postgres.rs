//! The shop of `main.rs` on PostgreSQL: the same modules, with another connection.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod arguments;
mod check;
mod day;
mod kills;
mod mails;
mod model;
mod operator;
mod postgres;
// The name of a test that needs a server contains `postgres`.
#[cfg(test)]
#[path = "tests.rs"]
mod postgres_tests;
mod story;
mod subscribers;
mod tables;
mod workers;

use clap::Parser as _;

// What differs on the other database, for all modules.
#[cfg(test)]
use postgres::SERVER_OF_TESTS;
use postgres::{Conn, KEY, Place, open};

fn main() -> anyhow::Result<()> {
    arguments::Arguments::parse().run(&mut std::io::stdout())
}
