//! PostgreSQL's write-ahead log, as it is written: type SQL into psql, and see it here.
//!
//! ```text
//! cargo run -p examples --example wal_tail -- --database-url postgres://… items orders
//! cargo run -p examples --example wal_tail -- --database-url postgres://… --whole items
//! ```
//!
//! No model, no derive: any table will do, and whoever writes to it. Of a row before its change the log holds the key
//! alone, if that; with `--whole` the tables are told to write all of it while this runs.
//!
//! The server needs `wal_level = logical`, and the role `REPLICATION`. The publication and its slot are this program's own,
//! and are removed at the end: a slot that nobody reads would fill the server's disk.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod setup;
mod show;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use anyhow::Context;
use clap::Parser;
use diesel::prelude::*;
use evented_diesel::wal::{Config, Format, Message, Slot, Tail};

use setup::Setup;

/// Shows the changes of some tables as they are committed, until it is interrupted.
#[derive(Parser)]
struct Arguments {
    /// The server.
    #[arg(long, env = "DATABASE_URL", value_name = "URL")]
    database_url: String,
    /// Rows as they were before, whole: `REPLICA IDENTITY FULL`, as long as this runs.
    #[arg(long)]
    whole: bool,
    /// The tables, as `items` or `shop.items`.
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
    // Whatever has happened; on a connection of its own, as the first one may have gone with the server.
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

/// A slot for this connection alone: the server drops it with that, even if this program is killed.
async fn open(url: &str, setup: &Setup) -> anyhow::Result<Tail> {
    let config = Config::from_url(url, Slot::temporary(), setup.publication())?.format(Format::Text);
    Ok(Tail::open(config).await?)
}

/// Shows the next message. Says whether a transaction ended with it.
async fn step(tail: &mut Tail, out: &mut impl Write) -> anyhow::Result<bool> {
    let message = tail.next().await?;
    show::message(&message, out)?;
    let Message::Commit { end, .. } = message else { return Ok(false) };
    // It has been shown: the server may forget it.
    tail.confirm(end);
    Ok(true)
}
