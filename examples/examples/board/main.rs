//! A board that updates live: axum, server-sent events, async SQLite.
//!
//! ```text
//! cargo run -p examples --features server --example board
//! cargo run -p examples --features server --example board -- --port 8080 --database board.db
//! ```
//!
//! The program prints two addresses: the boards of two organisations. Open both side by side, add an item, rename it,
//! and move it from one board to the other.
//!
//! The server sends the whole list to a browser that connects, and after it each change, without a gap between the two.
//! The id of each event is its position in the stream of changes. A browser that reconnects sends the last id that it
//! has seen (browsers do so without further code), and the server sends the changes since then.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod access;
mod board;
mod events;
mod failed;
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
    /// The port on this machine. Default: a free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The file of the SQLite database, created if it does not exist. Default: a temporary database.
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
    // Ctrl-C ends the server: the temporary folder is removed, the connections end, and the browsers retry until the
    // server is back.
    tokio::select! {
        served = async { axum::serve(listener, routes::routes(board)).await } => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
