//! A board whose pages stay current: axum, server-sent events, live trees, async SQLite.
//!
//! ```text
//! cargo run -p examples --features server --example board
//! cargo run -p examples --features server --example board -- --port 8080 --database board.db
//! ```
//!
//! The program prints the addresses of three viewers, of two organisations. Open them side by side: add items, move them, comment
//! and tag. The pages of one organisation follow each other, and never receive a byte of the other one.
//!
//! A page shows a set of live values: trees of items with their last comments and their tags, as [`tree::ItemCard`]. The page has
//! no other source of changes, also of its own. A change of an item names the revision that the page shows; another one is refused.

#![allow(unreachable_pub, missing_docs, reason = "it reads as it would in a crate of your own")]

mod access;
mod board;
mod commands;
mod database;
mod demo;
mod failed;
mod history;
mod model;
mod rank;
mod revision;
mod routes;
mod state;
#[cfg(test)]
mod tests;
mod tree;

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
    /// The file of the SQLite database, created if it does not exist. Default: a temporary database with a few items.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let is_temporary = arguments.database.is_none();
    let file = arguments.database.unwrap_or_else(|| folder.path().join("board.db"));
    let board = Board::open(&file.to_string_lossy()).await?;
    if is_temporary {
        demo::fill(&board).await?;
    }
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    let address = listener.local_addr()?;
    for (token, viewer) in access::VIEWERS {
        println!("organisation {}, as {}: http://{address}/?token={token}", viewer.org, viewer.login);
    }
    serve(listener, board, interrupted()).await
}

/// Serves until the future ends. Then the store stops, so that open streams end, and the server with them.
async fn serve(
    listener: TcpListener,
    board: Board,
    end: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let store = board.store.clone();
    let stopped = async move {
        end.await;
        store.stop();
    };
    axum::serve(listener, routes::routes(board)).with_graceful_shutdown(stopped).await?;
    Ok(())
}

/// Waits for Ctrl-C. Where no signal can be heard, the server goes on until it is killed.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
