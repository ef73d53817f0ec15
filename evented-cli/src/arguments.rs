//! The arguments of the admin command, as clap parses them. The doc comments are the texts of its help.

use evented_diesel::migrations::Database;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "react")]
mod of_domain_events;
#[cfg(feature = "react")]
mod of_subscribers;
#[cfg(feature = "react")]
mod reacting;

#[cfg(feature = "react")]
pub(super) use of_domain_events::{Bus, Publish, Schedule};
#[cfg(feature = "react")]
pub(super) use of_subscribers::{Projection, Subscriber};
#[cfg(feature = "react")]
pub(super) use reacting::Reacting;

/// Inspects, checks and maintains the event logs of this application
#[derive(Debug, Parser)]
#[command(version = None)]
pub(super) struct Arguments {
    /// Print one JSON document on standard output, for scripts
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// The URL of the database
    // The value may contain a password: the help must not show it.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(super) database_url: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write, check and apply the migrations of the log tables
    #[command(subcommand)]
    Migrations(Migrations),
    /// Show the events of a record
    Log(RecordArgument),
    /// Show a record, as it is now or as it was
    Show {
        #[command(flatten)]
        record: RecordArgument,
        /// Show the record as it was at a time: RFC 3339, or `2026-01-31 12:00` or `2026-01-31` in UTC
        #[arg(long, value_name = "TIME", value_parser = crate::input::time, conflicts_with = "at_revision")]
        as_of: Option<chrono::DateTime<chrono::Utc>>,
        /// Show the record as it was after a revision
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        at_revision: Option<i64>,
    },
    /// Show the differences between two revisions of a record; revision 0 is before the record existed
    Diff {
        #[command(flatten)]
        record: RecordArgument,
        /// The first revision
        #[arg(value_name = "A", value_parser = clap::value_parser!(i64).range(0..))]
        from: i64,
        /// The second revision
        #[arg(value_name = "B", value_parser = clap::value_parser!(i64).range(0..))]
        to: i64,
    },
    /// Verify rows and logs: all of them, those of a model, or one record
    Verify {
        /// The model's name in the log. Default: all models and logs
        schema: Option<String>,
        /// The record's key
        #[arg(allow_negative_numbers = true, conflicts_with_all = ["replay", "key_file"])]
        id: Option<String>,
        /// Also replay every event, and compare each state with the recorded one
        #[arg(long)]
        replay: bool,
        /// Replay only one record in N
        #[arg(long, value_name = "N", requires = "replay", value_parser = clap::value_parser!(u32).range(1..))]
        sample: Option<u32>,
        #[command(flatten)]
        key: KeyArgument,
    },
    /// Make a checkpoint of a hashed log: the root of the tree over all its events
    Checkpoint {
        /// The log's table
        log: String,
        #[command(flatten)]
        key: KeyArgument,
        /// Sign although the last checkpoint has no signature
        #[arg(long, requires = "key_file")]
        continue_unsigned: bool,
    },
    /// Verify hashed logs against their checkpoints
    VerifyCheckpoints {
        /// The log's table. Default: all hashed logs
        log: Option<String>,
        #[command(flatten)]
        key: KeyArgument,
        /// Also verify against copies of checkpoints: a file with one or more outputs of `checkpoint --json`
        #[arg(long, value_name = "FILE", requires = "log")]
        against: Option<PathBuf>,
    },
    /// Prove that an event is in its log, up to the last checkpoint; prints the proof as JSON
    ProveEvent {
        #[command(flatten)]
        record: RecordArgument,
        /// The revision of the event
        revision: i64,
    },
    /// Prove that the last checkpoint of a log continues an earlier one; prints the proof as JSON
    ProveLog {
        /// The log's table
        log: String,
        /// The number of the earlier checkpoint
        from: i64,
    },
    /// Check a proof of `prove-event` or `prove-log`, without a database
    CheckProof {
        /// The file with the proof
        file: PathBuf,
        #[command(flatten)]
        key: KeyArgument,
    },
    /// Rewrite the rows of a model's table from its log
    Rebuild {
        /// The model's name in the log
        schema: String,
        /// Only report the differences
        #[arg(long)]
        dry_run: bool,
    },
    /// Manage publications and slots for a reader of PostgreSQL's write-ahead log
    #[cfg(feature = "wal")]
    #[command(subcommand)]
    Wal(Wal),
    #[cfg(feature = "react")]
    #[command(flatten)]
    Reacting(Reacting),
    /// Record what other SQL did to a model's table: rows that changed, that are new, and that are gone
    Adopt {
        /// The model's name in the log
        schema: String,
        /// The number of records per transaction
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..))]
        chunk: u16,
        /// The actor of the events
        #[arg(long, value_name = "ACTOR")]
        by: Option<String>,
    },
    /// Write a first event for each row that has none
    Backfill {
        /// The model's name in the log
        schema: String,
        /// The number of rows per transaction
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..))]
        chunk: u16,
    },
}

/// The record that a command works on.
#[derive(Debug, Args)]
pub(super) struct RecordArgument {
    /// The model's name in the log
    pub(super) schema: String,
    /// The record's key
    #[arg(allow_negative_numbers = true)]
    pub(super) id: String,
}

/// The key that checkpoints are signed with.
#[derive(Debug, Args)]
pub(super) struct KeyArgument {
    /// The file with the key of the checkpoints: 64 hex digits. After a change of the key: the new one, then the old ones
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Vec<PathBuf>,
    /// The name of the key, which stands beside each signature
    #[arg(long, value_name = "NAME", default_value = "evented", requires = "key_file")]
    pub(super) key_name: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum Migrations {
    /// Write the missing migrations into a folder of Diesel migrations
    Write {
        /// The folder of Diesel migrations
        folder: PathBuf,
        /// The kind of database. Default: the database of the program
        #[arg(long)]
        database: Option<DatabaseArgument>,
    },
    /// Check that a folder contains the migration of every log, as this version of the library writes it
    Check {
        /// The folder of Diesel migrations
        folder: PathBuf,
        /// The kind of database. Default: the database of the program
        #[arg(long)]
        database: Option<DatabaseArgument>,
    },
    /// Print the SQL of the migrations
    Print {
        /// The kind of database. Default: the database of the program
        #[arg(long)]
        database: Option<DatabaseArgument>,
    },
    /// Print the rights on the logs that a role of PostgreSQL needs to run commands, and no more
    Rights {
        /// The role
        role: String,
        /// Also let the role make checkpoints
        #[arg(long)]
        checkpoints: bool,
    },
    /// Show the state of the log tables in the database
    Status,
    /// Create the missing logs, and upgrade the logs of an older format
    Upgrade,
}

#[cfg(feature = "wal")]
#[derive(Debug, Subcommand)]
pub(super) enum Wal {
    /// Publish tables: create the publication, or add the missing tables to it
    CreatePublication {
        /// The name of the publication
        publication: String,
        #[command(flatten)]
        tables: TablesArgument,
    },
    /// Remove a publication
    DropPublication {
        /// The name of the publication
        publication: String,
    },
    /// Create a durable slot, after the publication; from then on the server keeps its log for the slot's reader
    CreateSlot {
        /// The name of the slot
        slot: String,
    },
    /// Remove a slot, and the log that the server keeps for it
    DropSlot {
        /// The name of the slot
        slot: String,
    },
    /// Show whether a slot is read, how far its reader is behind, and how much log the server keeps for it
    SlotStatus {
        /// The name of the slot
        slot: String,
    },
    /// Show the problems that prevent a reader from working, and how to solve them
    Check {
        /// The name of the publication
        publication: String,
        /// The name of the slot
        #[arg(long, value_name = "SLOT")]
        slot: Option<String>,
        #[command(flatten)]
        tables: TablesArgument,
    },
}

/// The tables that a command works on. Default: the tables of all models and of their logs.
#[cfg(feature = "wal")]
#[derive(Debug, Args)]
pub(super) struct TablesArgument {
    /// Add the table of a model and the tables of its log, by the model's name in the log
    #[arg(long = "model", value_name = "SCHEMA")]
    pub(super) models: Vec<String>,
    /// Add any other table: `orders`, or `shop.orders`
    #[arg(long = "table", value_name = "TABLE")]
    pub(super) tables: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum DatabaseArgument {
    Postgres,
    Sqlite,
}

impl From<DatabaseArgument> for Database {
    fn from(database: DatabaseArgument) -> Self {
        match database {
            DatabaseArgument::Postgres => Self::Postgres,
            DatabaseArgument::Sqlite => Self::Sqlite,
        }
    }
}
