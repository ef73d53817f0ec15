//! Live values: one terminal writes at random, another shows a set of four labels, and a page shows the same set.
//!
//! ```text
//! cargo run -p examples --features live --example live                  # shows organisation 1, here and at http://127.0.0.1:8093
//! cargo run -p examples --features live --example live -- write         # in another terminal, as often as you like
//! ```
//!
//! `show` compares the four labels with hand-written queries whenever nothing has changed for a moment, and says so. The
//! processes share only the database.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod page;
mod shown;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Shows the tickets of an organisation as they change, or changes them at random.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// The file of the SQLite database, created if it does not exist. Default: a common file in the folder of temporary files.
    #[arg(long, global = true, value_name = "FILE")]
    database: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Part {
    /// Show the tickets of an organisation, here and on a page, until interrupted. The default.
    Show {
        /// The organisation.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        org: i32,
        /// The port of the page.
        #[arg(long, default_value_t = 8093)]
        port: u16,
    },
    /// Open, change, close and delete tickets of two organisations.
    Write {
        /// How many changes.
        #[arg(long, value_name = "NUMBER", default_value_t = 200)]
        changes: usize,
        /// The pause between two changes, in milliseconds.
        #[arg(long, value_name = "MILLISECONDS", default_value_t = 100)]
        pause: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { part, database } = Arguments::parse();
    let file = database.unwrap_or_else(|| std::env::temp_dir().join("evented_live.db"));
    let file = file.to_string_lossy().into_owned();
    database::create(&file)?;
    match part {
        Some(Part::Write { changes, pause }) => write::at_random(&file, changes, pause),
        None => show(&file, 1, 8093).await,
        Some(Part::Show { org, port }) => show(&file, org, port).await,
    }
}

async fn show(file: &str, org: i32, port: u16) -> anyhow::Result<()> {
    let store = database::store(file).await?;
    println!("organisation {org}; its page: http://127.0.0.1:{port}/?org={org}; end with Ctrl-C");
    let mut conn = database::connect(file).await?;
    let showing = shown::until_the_end(&store, org, &mut conn, |text| println!("{text}"));
    let serving = page::serve(store.clone(), port);
    tokio::select! {
        shown = showing => shown,
        served = serving => served,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
