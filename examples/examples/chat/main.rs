//! A chat whose messages can be edited, and which keeps their earlier texts.
//!
//! ```text
//! cargo run -p examples --example chat
//! cargo run -p examples --example chat -- --db chat.db      # keeps the database: look at it with sqlite3
//! DATABASE_URL=postgres://… cargo run -p examples --features postgres --example chat
//! ```
//!
//! Rooms and messages share one log. A room has no table: its state is only in the log. A message has a row, for lists.
//! A hook before each write refuses messages to a closed room, and links each edit to the text it replaces.
//!
//! The program reads every line that it prints back from the database.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod show;
mod story;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Parser;

/// Runs a script of a few messages: posted, edited, answered, edited again.
#[derive(Parser)]
struct Arguments {
    /// Keep the SQLite database in this file, which must not exist yet.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Use this PostgreSQL server instead; the tables are created in their own schema, `evented_chat`.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", conflicts_with = "db")]
    database_url: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let out = &mut std::io::stdout();
    match arguments.database_url {
        #[cfg(feature = "postgres")]
        Some(url) if url.starts_with("postgres") => {
            story::tell(&mut database::postgres(&url)?, database::QUERIES_POSTGRES, out)
        }
        #[cfg(not(feature = "postgres"))]
        Some(url) if url.starts_with("postgres") => {
            anyhow::bail!("PostgreSQL is a feature of the examples: add `--features postgres` to the command")
        }
        Some(url) => story::tell(&mut database::sqlite(&url)?, database::QUERIES_SQLITE, out),
        None => {
            let file = arguments.db.as_ref().map(|file| file.to_string_lossy().into_owned());
            let mut conn = database::sqlite(file.as_deref().unwrap_or(":memory:"))?;
            story::tell(&mut conn, database::QUERIES_SQLITE, out)?;
            if let Some(file) = file {
                println!(
                    "\nLook for yourself:\n  sqlite3 {file} 'SELECT schema, revision, action, payload FROM chat_events'"
                );
            }
            Ok(())
        }
    }
}
