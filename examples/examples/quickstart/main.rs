//! Start here: shows what evented does for one model, in one minute.
//!
//! ```text
//! cargo run -p examples --example quickstart
//! cargo run -p examples --example quickstart -- shop.db      # keeps the database: look at it with sqlite3
//! cargo run -p examples --features postgres --example quickstart -- postgres://…
//! ```
//!
//! The program reads every line that it prints back from the database.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod show;
mod story;

use examples::Target;

/// Runs a script of an item: inserted, renamed, archived, changed without the log, and changed concurrently.
fn main() -> anyhow::Result<()> {
    match Target::from_args()? {
        Target::Memory => story::tell(&mut database::sqlite(":memory:")?, database::row_sqlite),
        Target::File(file) => {
            story::tell(&mut database::sqlite(&file)?, database::row_sqlite)?;
            println!(
                "\nLook for yourself:\n  sqlite3 {file} 'SELECT revision, action, payload FROM items_events'"
            );
            Ok(())
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => story::tell(&mut database::postgres(&url)?, database::row_postgres),
    }
}
