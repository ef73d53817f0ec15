//! A board that changes while you look at it: axum, server-sent events, async SQLite.
//!
//! ```text
//! cargo run -p examples --example board
//! cargo run -p examples --example board -- --port 8080 --database board.db
//! ```
//!
//! It prints two addresses: the boards of two organisations. Open both, side by side; add something, rename it, move it
//! from one to the other.
//!
//! A browser that connects is sent the whole list, and after it each change: nothing is missed between the two. Each
//! event's id is its place in the stream of changes; a browser whose connection broke sends the last one it has seen, as
//! browsers do by themselves, and is sent what came since.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod access;
mod board;
mod events;
mod model;
mod routes;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Parser;
use tokio::net::TcpListener;

use board::Board;

/// Serves the boards of two organisations.
#[derive(Parser)]
struct Arguments {
    /// The port on this machine; one that is free, unless it is said.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The SQLite database; it is made if need be. Without it, one that is gone afterwards.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let file = arguments.database.unwrap_or_else(|| folder.path().join("board.db"));
    let board = Board::open(&file.to_string_lossy()).await?;
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    let address = listener.local_addr()?;
    for (token, viewer) in access::VIEWERS {
        println!("organisation {}, as {}: http://{address}/?token={token}", viewer.org, viewer.name);
    }
    // Ctrl-C ends it; the folder goes, the connections end, and the browsers try again until it is back.
    tokio::select! {
        served = async { axum::serve(listener, routes::routes(board)).await } => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
