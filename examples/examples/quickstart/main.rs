//! Start here: shows what evented does for one model, in one minute.
//!
//! ```text
//! cargo run -p examples --example quickstart
//! cargo run -p examples --example quickstart -- --db shop.db      # keeps the database: look at it with sqlite3
//! DATABASE_URL=postgres://… cargo run -p examples --features postgres --example quickstart
//! ```
//!
//! The program reads every line that it prints back from the database.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod show;
mod story;

use std::path::PathBuf;

use clap::Parser;

/// Runs a script of an item: inserted, renamed, archived, changed without the log, and changed concurrently.
#[derive(Parser)]
struct Arguments {
    /// Keep the SQLite database in this file, which must not exist yet.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Use this PostgreSQL server instead; the tables are created in their own schema, `evented_quickstart`.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", conflicts_with = "db")]
    database_url: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.database_url {
        #[cfg(feature = "postgres")]
        Some(url) if url.starts_with("postgres") => {
            story::tell(&mut database::postgres(&url)?, database::row_postgres)
        }
        #[cfg(not(feature = "postgres"))]
        Some(url) if url.starts_with("postgres") => {
            anyhow::bail!("PostgreSQL is a feature of the examples: add `--features postgres` to the command")
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
