//! A chat with a language model whose conversations branch: a user can ask for each answer again.
//!
//! ```text
//! cargo run -p examples --example ai_chat
//! cargo run -p examples --example ai_chat -- --db ai.db      # keeps the database: look at it with sqlite3
//! DATABASE_URL=postgres://… cargo run -p examples --features postgres --example ai_chat
//! ```
//!
//! A conversation has no table. Its turns are events, and links connect them: an answer links to its prompt, with the
//! model that gave it and the number of its tokens, and a prompt links to the answer that it continues. Nothing is ever
//! overwritten: a second answer to an earlier prompt begins a branch.
//!
//! The program reads every line that it prints back from the database.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod story;
#[cfg(test)]
mod tests;
mod tree;

use std::path::PathBuf;

use clap::Parser;

/// Runs a scripted conversation that branches.
#[derive(Parser)]
struct Arguments {
    /// Keep the SQLite database in this file, which must not exist yet.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Use this PostgreSQL server instead; the tables are created in their own schema, `evented_ai_chat`.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", conflicts_with = "db")]
    database_url: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let out = &mut std::io::stdout();
    match arguments.database_url {
        #[cfg(feature = "postgres")]
        Some(url) if url.starts_with("postgres") => story::tell(&mut database::postgres(&url)?, out),
        #[cfg(not(feature = "postgres"))]
        Some(url) if url.starts_with("postgres") => {
            anyhow::bail!("PostgreSQL is a feature of the examples: add `--features postgres` to the command")
        }
        Some(url) => story::tell(&mut database::sqlite(&url)?, out),
        None => {
            let file = arguments.db.as_ref().map(|file| file.to_string_lossy().into_owned());
            story::tell(&mut database::sqlite(file.as_deref().unwrap_or(":memory:"))?, out)?;
            if let Some(file) = file {
                println!(
                    "\nLook for yourself:\n  sqlite3 {file} 'SELECT revision, action, payload FROM ai_events'\n  \
                     sqlite3 {file} 'SELECT hex(event_id), hex(linked_id), data FROM ai_events_answers'"
                );
            }
            Ok(())
        }
    }
}
