//! A chat whose messages can be edited, and which keeps their earlier texts.
//!
//! ```text
//! cargo run -p examples --example chat
//! cargo run -p examples --example chat -- chat.db      # keeps the database: look at it with sqlite3
//! cargo run -p examples --features postgres --example chat -- postgres://…
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

use examples::Target;

/// Runs a script of a few messages: posted, edited, answered, edited again.
fn main() -> anyhow::Result<()> {
    let out = &mut std::io::stdout();
    match Target::from_args()? {
        Target::Memory => story::tell(&mut database::sqlite(":memory:")?, database::QUERIES_SQLITE, out),
        Target::File(file) => {
            story::tell(&mut database::sqlite(&file)?, database::QUERIES_SQLITE, out)?;
            println!(
                "\nLook for yourself:\n  sqlite3 {file} 'SELECT schema, revision, action, payload FROM chat_events'"
            );
            Ok(())
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => story::tell(&mut database::postgres(&url)?, database::QUERIES_POSTGRES, out),
    }
}
