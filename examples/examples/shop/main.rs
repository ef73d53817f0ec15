//! A shop whose orders publish a domain event, and what follows from it.
//!
//! ```text
//! cargo run -p examples --features react --example shop                     # SQLite, in a temporary file
//! cargo run -p examples --features react --example shop -- kill             # the same while workers are killed
//! cargo run -p examples --features react,postgres --example shop_postgres -- --database postgres://…
//! cargo run -p examples --features react,postgres --example shop_postgres -- --database postgres://… kill
//! ```
//!
//! Each order publishes `OrderPlaced`. A handler takes its items out of the stock by a command, which publishes `StockReserved`. For
//! that event a handler writes an invoice, exactly once, and an effect sends a mail, at least once and always with the same key. A
//! schedule publishes `DayClosed` every night, and a handler writes the sums of the day.
//!
//! One order is for an item that does not exist. The program shows what is set aside because of it, creates the item, and tries
//! again.
//!
//! `kill` places orders, and kills worker processes at random moments. At the end it counts invoices, mails and items.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod arguments;
mod check;
mod day;
mod kills;
mod mails;
mod model;
mod operator;
mod sqlite;
mod story;
mod subscribers;
mod tables;
#[cfg(test)]
mod tests;
mod workers;

use clap::Parser as _;

// What differs on the other database, for all modules.
#[cfg(test)]
use sqlite::SERVER_OF_TESTS;
use sqlite::{Conn, KEY, Place, open};

fn main() -> anyhow::Result<()> {
    arguments::Arguments::parse().run(&mut std::io::stdout())
}
