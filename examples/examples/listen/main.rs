//! Subscribes to changes: one terminal writes, another terminal prints the changes.
//!
//! ```text
//! cargo run -p examples --features feed --example listen                      # both in one terminal; it ends after the script
//!
//! cargo run -p examples --features feed --example listen -- watch --org 1     # in one terminal
//! cargo run -p examples --features feed --example listen -- watch --org 2     # in another one
//! cargo run -p examples --features feed --example listen -- write             # in a third one, as often as you like
//! ```
//!
//! The same change has a different meaning for each watcher: an item that is moved from one organisation to the other
//! leaves the first and enters the second. The processes share only the database.

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

/// Watches the items of an organisation, or writes changes to watch. Without a command, does both.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Print each change of the items of an organisation, until interrupted.
    Watch {
        /// The organisation.
        #[arg(long, value_name = "NUMBER")]
        org: i32,
        /// The file of the SQLite database, created if it does not exist. Default: a common file in the folder of
        /// temporary files.
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
    },
    /// Create, rename, move and delete a few items, one a second.
    Write {
        /// The file of the SQLite database, created if it does not exist. Default: a common file in the folder of
        /// temporary files.
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

/// Returns the path of the database. The default is the same file in all terminals.
fn file(database: Option<PathBuf>) -> String {
    let file = database.unwrap_or_else(|| std::env::temp_dir().join("evented_listen.db"));
    file.to_string_lossy().into_owned()
}

/// Writes, and prints after each write the change that organisation 1 received.
fn both(file: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let mut conn = database::open(file)?;
    let (hub, mut feed) = watch::subscribe(file, 1)?;
    story::tell(&mut conn, |what, position| {
        writeln!(out, "{what}")?;
        // Wait for the hub instead of sleeping: when this returns, the change is in the feed, or does not concern it.
        hub.wait_for_blocking(position, Duration::from_secs(60))?;
        let mut received = false;
        while let Ok(change) = feed.try_recv() {
            writeln!(out, "    {}", show::change(&change)?)?;
            received = true;
        }
        if !received {
            writeln!(out, "    nothing")?;
        }
        Ok(())
    })
}
