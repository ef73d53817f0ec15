//! The admin command of `evented-diesel`. You build it into a binary of your own, which knows your models.
//!
//! The admin command reads logs, shows records as they were, checks tables and logs, makes checkpoints, and brings
//! tables and logs up to date. [`Admin`] takes the models and a function that connects:
//!
#![cfg_attr(feature = "postgres", doc = "```no_run")]
#![cfg_attr(not(feature = "postgres"), doc = "```ignore")]
//! # use diesel::prelude::*;
//! # use evented_diesel::{Evented, Id, EventLog};
//! # mod schema { diesel::table! { use evented_diesel::sql_types::Uid; use diesel::sql_types::*; items (id) { id -> Uid, name -> Text } } }
//! # use schema::items;
//! # #[derive(Evented, Queryable, Selectable, Clone, Debug)]
//! # #[diesel(table_name = items)]
//! # struct Item { id: Id<Item>, name: String }
//! // src/bin/evented.rs
//! use diesel::{Connection, PgConnection};
//! use evented_cli::Admin;
//!
//! fn main() -> std::process::ExitCode {
//!     Admin::<PgConnection>::new().model::<Item>().run(PgConnection::establish)
//! }
//! ```
//!
//! On an async connection the command needs no libpq, and runs on the runtime of your program:
//!
#![cfg_attr(feature = "async-postgres", doc = "```no_run")]
#![cfg_attr(not(feature = "async-postgres"), doc = "```ignore")]
//! # use diesel::prelude::*;
//! # use evented_diesel::{Evented, Id, EventLog};
//! # mod schema { diesel::table! { use evented_diesel::sql_types::Uid; use diesel::sql_types::*; items (id) { id -> Uid, name -> Text } } }
//! # use schema::items;
//! # #[derive(Evented, Queryable, Selectable, Clone, Debug)]
//! # #[diesel(table_name = items)]
//! # struct Item { id: Id<Item>, name: String }
//! use diesel_async::{AsyncConnection, AsyncPgConnection};
//! use evented_cli::Admin;
//!
//! // with `#[tokio::main]`
//! async fn main_async() -> std::process::ExitCode {
//!     let admin = Admin::<AsyncPgConnection>::new().model::<Item>();
//!     admin.run_async(|url| async move { AsyncPgConnection::establish(&url).await }).await
//! }
//! # let _ = main_async();
//! ```
//!
//! ```text
//! evented log items 0197…                    what happened to a record
//! evented show items 0197… --as-of 2026-01-31
//! evented diff items 0197… 3 7
//! evented verify                             every row against its log, every hashed log against its hashes
//! evented checkpoint ledger --key-file key
//! evented rebuild items --dry-run
//! evented backfill items
//! evented migrations status
//! evented wal create-publication shop        the models' tables and logs, for a reader of PostgreSQL's WAL
//! evented wal create-slot shop
//! evented wal slot-status shop
//! ```
//!
//! `--database-url` names the database. Default: the environment variable `DATABASE_URL`. With `--json` the command
//! writes one JSON document to standard output, and nothing else. It shows its progress on standard error, if that is a
//! terminal.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | all is well |
//! | 1 | a check found something, or work remains to be done: `verify`, `verify-checkpoints`, `rebuild --dry-run`, `backfill` that skipped rows, `log` of a record that cannot be replayed, `migrations check` and `status`, `wal check`, `wal slot-status` of a slot that is missing, lost, or about to be lost |
//! | 2 | the arguments are invalid, or the command failed: it writes the reason to standard error, with `--json` as `{"error": …}` |
//!
//! # Features
//!
//! No feature is enabled by default. Enable the features for the connection that the command works on.
//!
//! | feature | enables |
//! |---|---|
//! | `sqlite`, `postgres` | blocking connections, with [`Admin::run`] |
//! | `async-sqlite`, `async-postgres` | async connections, with `Admin::run_async` |
//! | `wal` | the `wal` commands: publications and slots of PostgreSQL's write-ahead log |

use evented_diesel::migrations::Migrations;
use evented_diesel::{EventLog, Model, ModelOn};
use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

use clap::Parser;

mod answer;
mod arguments;
mod commands;
mod connection;
mod dispatch;
mod erased;
mod failure;
mod input;
mod progress;
mod render;
mod screen;

pub use connection::Connection;

use answer::finish;
use arguments::Arguments;
use erased::{AnyLog, AnyModel};
use failure::Failure;

/// The admin command, with the models and logs that it knows. See the [crate documentation](crate).
///
/// `Conn` is a connection of Diesel or of diesel-async, to PostgreSQL or to SQLite.
#[must_use = "the command does nothing until it is run"]
pub struct Admin<Conn: Connection> {
    models: Vec<Box<dyn AnyModel<Conn::Executor>>>,
    logs: Vec<Box<dyn AnyLog<Conn::Executor>>>,
    migrations: Migrations,
    /// The tables to publish for each model.
    #[cfg(feature = "wal")]
    published: Vec<commands::wal::Tables>,
}

impl<Conn: Connection> fmt::Debug for Admin<Conn> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("migrations", &self.migrations).finish_non_exhaustive()
    }
}

impl<Conn: Connection> Default for Admin<Conn> {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            logs: Vec::new(),
            migrations: Migrations::new(),
            #[cfg(feature = "wal")]
            published: Vec::new(),
        }
    }
}

impl<Conn: Connection> Admin<Conn> {
    /// Creates the command without any model or log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a model and its log. Adding a model again has no effect.
    pub fn model<M: ModelOn<Conn::Backend>>(mut self) -> Self {
        let known = self.models.iter().any(|model| model.schema() == M::SCHEMA);
        if !known {
            self.models.push(erased::model::<Conn::Backend, M, _>());
            #[cfg(feature = "wal")]
            self.published.push(Conn::tables::<M>());
        }
        self.event_log::<<M as Model>::Log>()
    }

    /// Adds a log whose models this binary does not have. [`model`](Self::model) already adds the log of a model.
    /// Adding a log again has no effect.
    pub fn event_log<L: EventLog>(mut self) -> Self {
        let known = self.logs.iter().any(|log| log.name() == L::NAME);
        if !known {
            self.logs.push(erased::log::<Conn::Backend, L, _>());
        }
        self.migrations = self.migrations.event_log::<L>();
        self
    }

    /// Runs the command that the program's arguments name, on a blocking connection, and returns the program's exit
    /// code.
    ///
    /// For commands that need a database, it calls `connect` with the URL of the database.
    pub fn run<E: fmt::Display>(self, connect: impl FnOnce(&str) -> Result<Conn, E>) -> ExitCode
    where
        Conn: diesel::connection::LoadConnection,
    {
        let arguments = match Arguments::try_parse() {
            Ok(arguments) => arguments,
            Err(error) => return failure::of_arguments(&error),
        };
        let json = arguments.json;
        let connect = |url: String| std::future::ready(connect(&url));
        let answer = evented_diesel::spi::ready(dispatch::answer(&self, arguments, connect));
        finish(answer.unwrap_or_else(|| Err(Failure::from(evented_diesel::Error::NotReady))), json)
    }

    /// Runs the command that the program's arguments name, on an async connection, and returns the program's exit code.
    ///
    /// For commands that need a database, it calls `connect` with the URL of the database.
    #[cfg(feature = "__async")]
    pub async fn run_async<E, F>(self, connect: impl FnOnce(String) -> F) -> ExitCode
    where
        Conn: diesel_async::AsyncConnection,
        E: fmt::Display,
        F: Future<Output = Result<Conn, E>>,
    {
        let arguments = match Arguments::try_parse() {
            Ok(arguments) => arguments,
            Err(error) => return failure::of_arguments(&error),
        };
        let json = arguments.json;
        finish(dispatch::answer(&self, arguments, connect).await, json)
    }
}

/// Returns the URL of the database that the program's arguments or its environment name, for a program that chooses the
/// type of its connection by the URL. `None` if they name no database, or if the arguments cannot be parsed.
#[must_use]
pub fn database_url() -> Option<String> {
    database_url_of(std::env::args_os())
}

fn database_url_of(arguments: impl IntoIterator<Item = OsString>) -> Option<String> {
    Arguments::try_parse_from(arguments).ok()?.database_url
}
