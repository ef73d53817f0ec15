//! The admin command as a program uses it: a builder that collects models and logs, and runs.

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

use clap::Parser;
use evented_diesel::migrations::Migrations;
use evented_diesel::{EventLog, Model, ModelOn};

use crate::answer::finish;
use crate::arguments::Arguments;
#[cfg(feature = "wal")]
use crate::commands::wal::Tables;
use crate::connection::Connection;
use crate::dispatch;
use crate::erased::{self, AnyLog, AnyModel};
#[cfg(feature = "react")]
use crate::erased::{AnyBus, AnyEvent, AnyProjection};
use crate::failure::{self, Failure};

/// The admin command, with the models, logs, projections, buses and domain events that it knows. See the [crate documentation](crate).
///
/// `Conn` is a connection of Diesel or of diesel-async, to PostgreSQL or to SQLite.
#[must_use = "the command does nothing until it is run"]
pub struct Admin<Conn: Connection> {
    pub(crate) models: Vec<Box<dyn AnyModel<Conn::Executor>>>,
    pub(crate) logs: Vec<Box<dyn AnyLog<Conn::Executor>>>,
    #[cfg(feature = "react")]
    pub(crate) projections: Vec<Box<dyn AnyProjection<Conn::Executor>>>,
    #[cfg(feature = "react")]
    pub(crate) buses: Vec<Box<dyn AnyBus<Conn::Executor>>>,
    #[cfg(feature = "react")]
    pub(crate) events: Vec<Box<dyn AnyEvent>>,
    pub(crate) migrations: Migrations,
    /// The tables to publish for each model.
    #[cfg(feature = "wal")]
    pub(crate) published: Vec<Tables>,
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
            #[cfg(feature = "react")]
            projections: Vec::new(),
            #[cfg(feature = "react")]
            buses: Vec::new(),
            #[cfg(feature = "react")]
            events: Vec::new(),
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

    /// Adds the tables of subscribers, so that `migrations` covers them. The commands about subscribers need no such call.
    #[cfg(feature = "react")]
    pub fn react(mut self) -> Self {
        self.migrations = evented_react::MigrationsExt::react(self.migrations);
        self
    }

    /// Adds a projection, and the tables of subscribers to the migrations. Adding another one of the same name has no
    /// effect.
    ///
    /// Declare it as the workers do: a rebuild registers a projection that is not registered, or has a higher version.
    /// `C` can be any type, because the commands call no handler.
    #[cfg(feature = "react")]
    pub fn projection<C: 'static>(mut self, projection: impl Into<evented_react::Subscriber<C>>) -> Self {
        let projection = projection.into();
        let known = self.projections.iter().any(|known| known.name() == projection.name());
        if !known {
            self.projections.push(erased::projection::<Conn::Backend, C, _>(projection));
        }
        self.react()
    }

    /// Adds a bus of domain events, for `bus prune`. Adds its table and the tables of subscribers to the migrations.
    /// Adding a bus again has no effect.
    #[cfg(feature = "react")]
    pub fn bus<B: evented_diesel::Bus>(mut self) -> Self {
        let known = self.buses.iter().any(|bus| bus.name() == B::TABLE);
        if !known {
            self.buses.push(erased::bus::<Conn::Backend, B, _>());
        }
        self.migrations = self.migrations.bus::<B>();
        self.react()
    }

    /// Adds a domain event, for `publish`, and its [`bus`](Self::bus). Adding another one of the same name and bus has no
    /// effect.
    ///
    /// `publish` decodes its JSON as `E`. By default serde ignores fields that `E` does not have.
    #[cfg(feature = "react")]
    pub fn event<E: evented_diesel::DomainEvent>(mut self) -> Self {
        let event = erased::event::<E>();
        let known =
            self.events.iter().any(|known| (known.bus(), known.name()) == (event.bus(), event.name()));
        if !known {
            self.events.push(event);
        }
        self.bus::<E::Bus>()
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
