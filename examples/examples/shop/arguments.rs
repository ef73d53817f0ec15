//! The command line of the program.

use std::io::Write;

use anyhow::Context as _;
use clap::{Parser, Subcommand, value_parser};

use crate::{Place, kills, story, workers};

/// A shop whose orders publish an event, and what follows from it.
#[derive(Parser)]
pub struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// A new SQLite file, by default a temporary one; or for `shop_postgres`, the URL of a database of PostgreSQL.
    #[arg(long, value_name = "DATABASE", env = workers::DATABASE, global = true)]
    database: Option<String>,
}

#[derive(Subcommand)]
enum Part {
    /// Place orders while worker processes are killed at random moments, and count invoices.
    Kill {
        /// How many are killed, in 100 seconds at most.
        #[arg(long, value_name = "NUMBER", default_value_t = kills::KILLS, value_parser = value_parser!(u64).range(1..))]
        times: u64,
    },
    /// Run a worker until the standard input ends. `kill` starts two of these.
    Worker(workers::Options),
}

impl Arguments {
    /// Runs what they say.
    pub fn run(self, out: &mut impl Write) -> anyhow::Result<()> {
        let database = self.database.as_deref();
        match self.part {
            None => story::tell(&Place::new(database)?, out),
            Some(Part::Kill { times }) => kills::check(&Place::new(database)?, &["worker"], times, out),
            Some(Part::Worker(options)) => {
                workers::serve(database.context("--database is missing")?, &options)
            }
        }
    }
}
