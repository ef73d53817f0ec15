//! Shows PostgreSQL's write-ahead log while it is written: type SQL into psql, and see the changes here.
//!
//! ```text
//! cargo run -p examples --features wal --example wal_tail -- --database-url postgres://… items orders
//! cargo run -p examples --features wal --example wal_tail -- --database-url postgres://… --whole items
//! ```
//!
//! The program needs no model and no derive: it works on any table, with any writer. By default the log holds only the
//! key of an old row, or nothing. With `--whole`, the program makes the tables log whole old rows while it runs.
//!
//! The server needs `wal_level = logical`, and the role needs `REPLICATION`. The program creates its own publication
//! and slot, and removes them at the end: a slot without a reader would fill the server's disk.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

#[cfg(test)]
mod postgres_tests;
mod setup;
mod show;

use std::io::{self, Write};

use anyhow::Context;
use clap::Parser;
use diesel::prelude::*;
use evented_wal::{Config, Format, Message, Slot, Tail};

use setup::Setup;

/// Shows the changes of some tables as they are committed, until interrupted.
#[derive(Parser)]
struct Arguments {
    /// The URL of the server.
    #[arg(long, env = "DATABASE_URL", value_name = "URL")]
    database_url: String,
    /// Log whole old rows: sets `REPLICA IDENTITY FULL` while the program runs.
    #[arg(long)]
    whole: bool,
    /// The tables: `items`, or `shop.items`.
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let url = arguments.database_url.as_str();
    let out = &mut io::stdout();
    let connect = || PgConnection::establish(url).context("cannot reach the server");
    let setup = Setup::make(&mut connect()?, &arguments.tables, arguments.whole, out)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let followed = runtime.block_on(async {
        tokio::select! {
            followed = follow(url, &setup, out) => followed,
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
        }
    });
    // Undo the setup also after an error, on a new connection: the first one may have been lost with the server.
    setup.undo(&mut connect()?)?;
    followed
}

async fn follow(url: &str, setup: &Setup, out: &mut impl Write) -> anyhow::Result<()> {
    let mut tail = open(url, setup).await?;
    writeln!(out, "Reading the log from {} on. Ctrl-C ends it.", tail.start())?;
    loop {
        step(&mut tail, out).await?;
    }
}

/// Opens the tail with a temporary slot. The server drops the slot with the connection, even if this program is killed.
async fn open(url: &str, setup: &Setup) -> anyhow::Result<Tail> {
    let config = Config::from_url(url, Slot::temporary(), setup.publication())?.format(Format::Text);
    Ok(Tail::open(config).await?)
}

/// Shows the next message. Returns whether the message ended a transaction.
async fn step(tail: &mut Tail, out: &mut impl Write) -> anyhow::Result<bool> {
    let message = tail.next().await?;
    show::message(&message, out)?;
    let Message::Commit { end, .. } = message else { return Ok(false) };
    // The transaction has been shown: the server may discard it.
    tail.confirm(end);
    Ok(true)
}
