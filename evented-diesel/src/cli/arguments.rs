//! What the command is asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::migrations::Flavour;

/// Looks after the event logs of this application
#[derive(Debug, Parser)]
#[command(version = None)]
pub(super) struct Arguments {
    /// One JSON document on standard output, for scripts
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// The database
    // Its value may hold a password: the help must not show it.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(super) database_url: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The tables of the logs
    #[command(subcommand)]
    Migrations(Migrations),
    /// What happened to a record
    Log(RecordArgument),
    /// A record, as it is or as it was
    Show {
        #[command(flatten)]
        record: RecordArgument,
        /// As it was at a time: RFC 3339, or `2026-01-31 12:00` or `2026-01-31` in UTC
        #[arg(long, value_name = "TIME", value_parser = super::input::time, conflicts_with = "at_revision")]
        as_of: Option<chrono::DateTime<chrono::Utc>>,
        /// As a revision left it
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        at_revision: Option<i64>,
    },
    /// What differs between two revisions of a record; revision 0 is before there was one
    Diff {
        #[command(flatten)]
        record: RecordArgument,
        /// One revision
        #[arg(value_name = "A", value_parser = clap::value_parser!(i64).range(0..))]
        from: i64,
        /// The other
        #[arg(value_name = "B", value_parser = clap::value_parser!(i64).range(0..))]
        to: i64,
    },
    /// Whether rows and logs are what they should be: all of them, those of a model, or one record
    Verify {
        /// The model's name in the log; without it, all models and logs
        schema: Option<String>,
        /// The record's key
        #[arg(allow_negative_numbers = true)]
        id: Option<String>,
        /// Replay every event, too, and compare each state with the one that was recorded
        #[arg(long)]
        replay: bool,
        /// Replay one record in so many
        #[arg(long, value_name = "N", requires = "replay", value_parser = clap::value_parser!(u32).range(1..))]
        sample: Option<u32>,
        #[command(flatten)]
        key: KeyArgument,
    },
    /// Write down a root over all events of a hashed log since the last one
    Checkpoint {
        /// The log's table
        log: String,
        #[command(flatten)]
        key: KeyArgument,
    },
    /// Check hashed logs against the roots that were written down
    VerifyCheckpoints {
        /// The log's table; without it, all hashed logs
        log: Option<String>,
        #[command(flatten)]
        key: KeyArgument,
        /// Against copies kept elsewhere instead: a file of what `checkpoint --json` printed, one or many
        #[arg(long, value_name = "FILE", requires = "log")]
        against: Option<PathBuf>,
    },
    /// Make every row what its log says
    Rebuild {
        /// The model's name in the log
        schema: String,
        /// Only say what differs
        #[arg(long)]
        dry_run: bool,
    },
    /// What a reader of PostgreSQL's write-ahead log needs: publications and slots
    #[cfg(feature = "wal")]
    #[command(subcommand)]
    Wal(Wal),
    /// Give each row that has no event a first one
    BringUp {
        /// The model's name in the log
        schema: String,
        /// How many rows a transaction takes
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..))]
        chunk: u16,
    },
}

/// Which record.
#[derive(Debug, Args)]
pub(super) struct RecordArgument {
    /// The model's name in the log
    pub(super) schema: String,
    /// The record's key
    #[arg(allow_negative_numbers = true)]
    pub(super) id: String,
}

/// The key of checkpoints.
#[derive(Debug, Args)]
pub(super) struct KeyArgument {
    /// The key of the checkpoints: a file with 64 hex digits
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Migrations {
    /// Write the migrations that are missing into a folder of Diesel migrations
    Write {
        /// The folder
        folder: PathBuf,
        /// For which database; that of the program, unless it is said here
        #[arg(long)]
        database: Option<Database>,
    },
    /// Check that a folder has the migration of every log, as this version of the library writes it
    Check {
        /// The folder
        folder: PathBuf,
        /// For which database; that of the program, unless it is said here
        #[arg(long)]
        database: Option<Database>,
    },
    /// Print the SQL
    Print {
        /// For which database; that of the program, unless it is said here
        #[arg(long)]
        database: Option<Database>,
    },
    /// What the database has of the logs
    Status,
    /// Make the logs that are missing, and bring those of an older form to today's
    Upgrade,
}

#[cfg(feature = "wal")]
#[derive(Debug, Subcommand)]
pub(super) enum Wal {
    /// Publish tables: make the publication, or add to it what it lacks
    CreatePublication {
        /// The publication
        publication: String,
        #[command(flatten)]
        tables: TablesArgument,
    },
    /// Remove a publication
    DropPublication {
        /// The publication
        publication: String,
    },
    /// Make a durable slot, after the publication; from then on the server keeps its log for the slot's reader
    CreateSlot {
        /// The slot
        slot: String,
    },
    /// Remove a slot, and all that is kept for it
    DropSlot {
        /// The slot
        slot: String,
    },
    /// Whether a slot is read, how far its reader is behind, and how much of its log the server keeps for it
    SlotStatus {
        /// The slot
        slot: String,
    },
    /// What is in the way of a reader, with what to do about it
    Check {
        /// The publication
        publication: String,
        /// The slot
        #[arg(long, value_name = "SLOT")]
        slot: Option<String>,
        #[command(flatten)]
        tables: TablesArgument,
    },
}

/// Which tables; without any, those of all models and of their logs.
#[cfg(feature = "wal")]
#[derive(Debug, Args)]
pub(super) struct TablesArgument {
    /// The table of a model, and those of its log, by the model's name in the log
    #[arg(long = "model", value_name = "SCHEMA")]
    pub(super) models: Vec<String>,
    /// Any other table: `orders`, or `shop.orders`
    #[arg(long = "table", value_name = "TABLE")]
    pub(super) tables: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Database {
    Postgres,
    Sqlite,
}

impl From<Database> for Flavour {
    fn from(database: Database) -> Self {
        match database {
            Database::Postgres => Self::Postgres,
            Database::Sqlite => Self::Sqlite,
        }
    }
}
