//! A derived table that stays right while its workers are killed: the number of comments of each post.
//!
//! ```text
//! cargo run -p examples --features react --example counter                    # SQLite, in a temporary file
//! cargo run -p examples --features react,postgres --example counter -- --database postgres://…
//! ```
//!
//! Two writers make, move and delete posts and comments for ten seconds. Two processes run workers, and every second one of
//! them is killed and started again. At the end the program waits until the workers have caught up, and compares the derived
//! table with a fresh count.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod database;
mod model;
mod traffic;
mod workers;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use evented_diesel::prelude::*;
use evented_react::{lag, verify};

use database::Conn;
use model::{Comment, Post, post_counts};

/// Keeps a table of comment counts up to date, while its workers are killed.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// A new SQLite file, or with the feature `postgres` the URL of an empty PostgreSQL database. Default: a temporary file.
    #[arg(long, value_name = "DATABASE", global = true)]
    database: Option<String>,
    /// For how many seconds the writers write.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    seconds: u64,
}

#[derive(Subcommand)]
enum Part {
    /// Run a worker until it is killed. The program starts two of these.
    Worker,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("counter.db").to_string_lossy().into_owned();
    let database = arguments.database.unwrap_or(file);
    match arguments.part {
        Some(Part::Worker) => workers::serve(&database),
        None => count(&database, Duration::from_secs(arguments.seconds)),
    }
}

/// Writes, kills, waits, and compares.
fn count(database: &str, time: Duration) -> anyhow::Result<()> {
    let conn = &mut database::open(database)?;
    database::create(conn)?;
    let mut workers = workers::Pool::start(database, 2)?;
    let writers: Vec<_> = (0..2).map(|seed| traffic::start(database.to_owned(), seed, time)).collect();
    let end = Instant::now() + time;
    let mut kills = 0;
    while Instant::now() + Duration::from_secs(1) < end {
        std::thread::sleep(Duration::from_secs(1));
        workers.kill_one()?;
        kills += 1;
    }
    let mut written = 0;
    for writer in writers {
        written += writer.join().ok().context("a writer panicked")??;
    }
    println!("The writers made {written} changes, while {kills} workers were killed.");
    wait_until_handled(conn)?;
    compare(conn)
}

/// Waits until the workers have handled every event.
fn wait_until_handled(conn: &mut Conn) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let behind: u64 = lag("post_counts").run(conn)?.iter().map(|lag| lag.events).sum();
        if behind == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < until, "the workers are still {behind} events behind");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Compares the derived table with what its `SELECT` returns.
fn compare(conn: &mut Conn) -> anyhow::Result<()> {
    let differences = verify(&post_counts::<Conn>()).run(conn)??;
    ensure!(differences.rows.is_empty(), "the table differs from a fresh count: {:?}", differences.rows);
    let events = Post::last_position().run(conn)? + Comment::last_position().run(conn)?;
    println!("The table equals a fresh count, after {events} events.");
    Ok(())
}
