//! Listening: what one terminal writes, another one hears of.
//!
//! ```text
//! cargo run -p examples --example listen                      # both in one terminal; it ends by itself
//!
//! cargo run -p examples --example listen -- watch --org 1     # in one terminal
//! cargo run -p examples --example listen -- watch --org 2     # in another one
//! cargo run -p examples --example listen -- write             # in a third one, as often as you like
//! ```
//!
//! The same change is something else to each of them: what is moved from one organisation to the other leaves here, and
//! comes in there. The processes have nothing in common but the database.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod show;
mod story;
#[cfg(test)]
mod tests;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Watches the items of an organisation, and writes something to be seen.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Print each change of the items of an organisation, until it is interrupted.
    Watch {
        /// The organisation.
        #[arg(long, value_name = "NUMBER")]
        org: i32,
        /// The SQLite database; it is made if need be. Without it, one for all in the folder of temporary files.
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
    },
    /// Make, rename, move and delete a few items, one a second.
    Write {
        /// The SQLite database; it is made if need be. Without it, one for all in the folder of temporary files.
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    let out = &mut std::io::stdout();
    match Arguments::parse().part {
        None => {
            let folder = tempfile::tempdir()?;
            both(&folder.path().join("listen.db").to_string_lossy(), out)
        }
        Some(Part::Watch { org, database }) => watch::until_the_end(&file(database), org, out),
        Some(Part::Write { database }) => story::tell(&mut database::open(&file(database))?, |what, _| {
            println!("{what}");
            std::thread::sleep(Duration::from_secs(1));
            Ok(())
        }),
    }
}

/// The same file in both terminals, wherever they are.
fn file(database: Option<PathBuf>) -> String {
    let file = database.unwrap_or_else(|| std::env::temp_dir().join("evented_listen.db"));
    file.to_string_lossy().into_owned()
}

/// Writes, and says after each write what organisation 1 heard of it.
fn both(file: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let mut conn = database::open(file)?;
    let (hub, mut feed) = watch::subscribe(file, 1)?;
    story::tell(&mut conn, |what, position| {
        writeln!(out, "{what}")?;
        // Not a guess at how long it may take: once this returns, the change is in the feed or none of its business.
        hub.wait_for_blocking(position, Duration::from_secs(60))?;
        let mut heard = false;
        while let Ok(change) = feed.try_recv() {
            writeln!(out, "    {}", show::change(&change?)?)?;
            heard = true;
        }
        if !heard {
            writeln!(out, "    nothing")?;
        }
        Ok(())
    })
}
