//! Start here: what evented does for one model, in a minute.
//!
//! ```text
//! cargo run -p examples --example quickstart
//! cargo run -p examples --example quickstart -- --db shop.db      # keeps the database: look at it with sqlite3
//! DATABASE_URL=postgres://… cargo run -p examples --example quickstart
//! ```
//!
//! Every line it prints is read back from the database.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod show;
mod story;

use std::path::PathBuf;

use clap::Parser;

/// Tells the story of an item: made, renamed, put away, changed behind the log's back, fought over.
#[derive(Parser)]
struct Arguments {
    /// Keep the SQLite database in this file, which must not exist yet.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A PostgreSQL server instead; the tables go into a schema `evented_quickstart` of their own.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", conflicts_with = "db")]
    database_url: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.database_url {
        Some(url) if url.starts_with("postgres") => {
            story::tell(&mut database::postgres(&url)?, database::row_postgres)
        }
        Some(url) => story::tell(&mut database::sqlite(&url)?, database::row_sqlite),
        None => {
            let file = arguments.db.as_ref().map(|file| file.to_string_lossy().into_owned());
            story::tell(&mut database::sqlite(file.as_deref().unwrap_or(":memory:"))?, database::row_sqlite)?;
            if let Some(file) = file {
                println!(
                    "\nLook for yourself:\n  sqlite3 {file} 'SELECT revision, action, payload FROM items_events'"
                );
            }
            Ok(())
        }
    }
}
