//! A command for operators, as a part of your own binary: only that knows your models.
//!
//! ```no_run
//! # use evented_diesel::{Model, migrations::Migrations};
//! # fn each<Item: Model, User: Model>() -> std::process::ExitCode {
//! // src/bin/evented.rs
//! evented_diesel::cli::run(Migrations::new().log::<Item>().log::<User>())
//! # }
//! ```
//!
//! ```text
//! cargo run --bin evented -- migrations write migrations --database postgres
//! cargo run --bin evented -- migrations check migrations --database postgres
//! cargo run --bin evented -- migrations print --database sqlite
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::migrations::{Flavour, Migrations};

#[derive(Parser)]
#[command(about = "Looks after the event logs of this application")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The tables of the logs
    #[command(subcommand)]
    Migrations(MigrationsCommand),
}

#[derive(Subcommand)]
enum MigrationsCommand {
    /// Write the migrations that are missing into a folder of Diesel migrations
    Write {
        /// The folder
        folder: PathBuf,
        /// For which database
        #[arg(long)]
        database: Database,
    },
    /// Check that a folder has the migration of every log, as this version of the library writes it
    Check {
        /// The folder
        folder: PathBuf,
        /// For which database
        #[arg(long)]
        database: Database,
    },
    /// Print the SQL
    Print {
        /// For which database
        #[arg(long)]
        database: Database,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Database {
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

/// Reads the program's arguments, does what they say, and gives the program's exit code.
#[must_use]
pub fn run(logs: Migrations) -> ExitCode {
    let Command::Migrations(command) = Arguments::parse().command;
    match migrations(&logs, command) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn migrations(logs: &Migrations, command: MigrationsCommand) -> Result<String, Box<dyn std::error::Error>> {
    Ok(match command {
        MigrationsCommand::Write { folder, database } => {
            let written = logs.write_to(folder, database.into())?;
            let paths: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
            if paths.is_empty() { "nothing is missing".to_owned() } else { paths.join("\n") }
        }
        MigrationsCommand::Check { folder, database } => {
            logs.check(folder, database.into())?;
            "the folder is current".to_owned()
        }
        MigrationsCommand::Print { database } => logs.up_sql(database.into()),
    })
}
