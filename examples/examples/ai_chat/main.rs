//! A chat with a language model whose conversations branch: a user can ask for each answer again.
//!
//! ```text
//! cargo run -p examples --example ai_chat
//! cargo run -p examples --example ai_chat -- ai.db      # keeps the database: look at it with sqlite3
//! cargo run -p examples --features postgres --example ai_chat -- postgres://…
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

use examples::Target;

/// Runs a scripted conversation that branches.
fn main() -> anyhow::Result<()> {
    let out = &mut std::io::stdout();
    match Target::from_args()? {
        Target::Memory => story::tell(&mut database::sqlite(":memory:")?, out),
        Target::File(file) => {
            story::tell(&mut database::sqlite(&file)?, out)?;
            println!(
                "\nLook for yourself:\n  sqlite3 {file} 'SELECT revision, action, payload FROM ai_events'\n  \
                 sqlite3 {file} 'SELECT hex(event_id), hex(linked_id), data FROM ai_events_answers'"
            );
            Ok(())
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => story::tell(&mut database::postgres(&url)?, out),
    }
}
