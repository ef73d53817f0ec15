//! A command for operators, as a part of your own binary: only that knows your models.
//!
//! It reads logs, shows records as they were, checks tables and logs, makes checkpoints, and brings tables and logs up to
//! date. You hand it the models and a way to connect:
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
//! use evented_diesel::cli::Operators;
//!
//! fn main() -> std::process::ExitCode {
//!     Operators::<PgConnection>::new().model::<Item>().run(PgConnection::establish)
//! }
//! ```
//!
//! On an async connection it needs no libpq, and runs on the runtime you bring:
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
//! use evented_diesel::cli::Operators;
//!
//! // with `#[tokio::main]`
//! async fn main_async() -> std::process::ExitCode {
//!     let operators = Operators::<AsyncPgConnection>::new().model::<Item>();
//!     operators.run_async(|url| async move { AsyncPgConnection::establish(&url).await }).await
//! }
//! # let _ = main_async();
//! ```
//!
//! ```text
//! evented log items 0197…                    what happened to a record
//! evented show items 0197… --as-of 2026-01-31
//! evented diff items 0197… 3 7
//! evented verify                             every row against its log, every hashed log by itself
//! evented checkpoint ledger --key-file key
//! evented rebuild items --dry-run
//! evented bring-up items
//! evented migrations status
//! evented wal create-publication shop        the models' tables and logs, for a reader of PostgreSQL's WAL
//! evented wal create-slot shop
//! evented wal slot-status shop
//! ```
//!
//! The database is `--database-url`, or `DATABASE_URL` of the environment. `--json` gives one JSON document on standard
//! output, and nothing else there. Progress goes to standard error, if that is a terminal.
//!
//! | exit code | |
//! |---|---|
//! | 0 | all is well |
//! | 1 | a check found something, or something is to be done: `verify`, `verify-checkpoints`, `rebuild --dry-run`, `bring-up` that passed over rows, `log` of a record that cannot be replayed, `migrations check` and `status`, `wal check`, `wal slot-status` of a slot that is missing or lost, or will be |
//! | 2 | the arguments make no sense, or something failed: the reason is on standard error, with `--json` as `{"error": …}` |

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

use clap::Parser;

use crate::log::EventLog;
use crate::migrations::Migrations;
use crate::model::{Model, Rows};

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

pub use connection::Connection;

use answer::finish;
use arguments::Arguments;
use erased::{AnyLog, AnyModel};
use failure::Failure;

/// The command, with the models and logs that it knows. See the [module](self).
///
/// `Conn` is a connection of Diesel's or of diesel-async's, to PostgreSQL or to SQLite.
#[must_use = "the command does nothing until it is run"]
pub struct Operators<Conn: Connection> {
    models: Vec<Box<dyn AnyModel<Conn::Driver>>>,
    logs: Vec<Box<dyn AnyLog<Conn::Driver>>>,
    migrations: Migrations,
    /// What is published of each model.
    #[cfg(feature = "wal")]
    published: Vec<commands::wal::Tables>,
}

impl<Conn: Connection> fmt::Debug for Operators<Conn> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operators").field("migrations", &self.migrations).finish_non_exhaustive()
    }
}

impl<Conn: Connection> Default for Operators<Conn> {
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

impl<Conn: Connection> Operators<Conn> {
    /// Knows no model yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a model and its log, once.
    pub fn model<M: Rows<Conn::Backend>>(mut self) -> Self {
        let known = self.models.iter().any(|model| model.schema() == M::SCHEMA);
        if !known {
            self.models.push(erased::model::<Conn::Backend, M, _>());
            #[cfg(feature = "wal")]
            self.published.push(Conn::tables::<M>());
        }
        self.event_log::<<M as Model>::Log>()
    }

    /// Adds a log, once: one whose models this binary does not have. That of a model comes with the model.
    pub fn event_log<L: EventLog>(mut self) -> Self {
        let known = self.logs.iter().any(|log| log.name() == L::NAME);
        if !known {
            self.logs.push(erased::log::<Conn::Backend, L, _>());
        }
        self.migrations = self.migrations.event_log::<L>();
        self
    }

    /// Does what the program's arguments say, on a blocking connection, and gives the program's exit code.
    ///
    /// `connect` is called with the URL, for those commands that need a database.
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
        let answer = crate::run::blocking::ready(dispatch::answer(&self, arguments, connect));
        finish(answer.unwrap_or_else(|| Err(Failure::from(crate::Error::Waited))), json)
    }

    /// Does what the program's arguments say, on an async connection, and gives the program's exit code.
    ///
    /// `connect` is called with the URL, for those commands that need a database.
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

/// The database that the program's arguments or its environment name, for a program that chooses the type of its
/// connection by it. `None` if they name none, or cannot be read.
#[must_use]
pub fn database_url() -> Option<String> {
    database_url_of(std::env::args_os())
}

fn database_url_of(arguments: impl IntoIterator<Item = OsString>) -> Option<String> {
    Arguments::try_parse_from(arguments).ok()?.database_url
}
