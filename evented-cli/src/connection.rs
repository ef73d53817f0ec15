//! The connections that the admin command can work on.

#[cfg(feature = "wal")]
use crate::commands::wal;
#[cfg(feature = "wal")]
use crate::erased::Steps;
#[cfg(all(feature = "wal", feature = "sqlite"))]
use crate::failure::Failure;
#[cfg(feature = "wal")]
use evented_diesel::ModelOn;
use evented_diesel::spi::{EventedBackend, Executor};

/// A connection that the [admin command](super::Admin) can work on: `PgConnection`, `SqliteConnection`,
/// `AsyncPgConnection` and `SyncConnectionWrapper<SqliteConnection>`, with the features `postgres`, `sqlite`,
/// `async-postgres` and `async-sqlite` of `evented-cli`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connection that the admin command works on",
    note = "it works on `PgConnection`, `SqliteConnection`, `AsyncPgConnection` and \
            `SyncConnectionWrapper<SqliteConnection>`, with the features `postgres`, `sqlite`, `async-postgres` and \
            `async-sqlite` of `evented-cli`"
)]
pub trait Connection: Send + Sized + 'static {
    /// The Diesel backend of the connection.
    type Backend: EventedBackend;
    /// The connection, as the subcommands use it.
    #[doc(hidden)]
    type Executor: Executor<Self::Backend> + 'static;
    /// Converts the connection for the subcommands.
    #[doc(hidden)]
    fn into_executor(self) -> Self::Executor;
    /// Returns the tables of a model that a reader of the write-ahead log needs.
    #[cfg(feature = "wal")]
    #[doc(hidden)]
    fn tables<M: ModelOn<Self::Backend>>() -> wal::Tables;
    /// Runs a `wal` subcommand.
    #[cfg(feature = "wal")]
    #[doc(hidden)]
    fn wal(executor: &mut Self::Executor, asked: wal::Asked) -> Steps<'_, wal::Done>;
}

/// The `wal` functions for PostgreSQL, whose write-ahead log can be read.
#[cfg_attr(not(any(feature = "postgres", feature = "async-postgres")), allow(unused_macros))]
macro_rules! with_wal {
    () => {
        #[cfg(feature = "wal")]
        fn tables<M: ModelOn<Self::Backend>>() -> wal::Tables {
            wal::Tables::of::<M>()
        }
        #[cfg(feature = "wal")]
        fn wal(executor: &mut Self::Executor, asked: wal::Asked) -> Steps<'_, wal::Done> {
            Box::pin(wal::run(executor, asked))
        }
    };
}

/// The `wal` functions for SQLite, which has no write-ahead log to read.
#[cfg_attr(not(feature = "sqlite"), allow(unused_macros))]
macro_rules! without_wal {
    () => {
        #[cfg(feature = "wal")]
        fn tables<M: ModelOn<Self::Backend>>() -> wal::Tables {
            wal::Tables::default()
        }
        #[cfg(feature = "wal")]
        fn wal(_: &mut Self::Executor, _: wal::Asked) -> Steps<'_, wal::Done> {
            let none =
                "SQLite's write-ahead log cannot be read; a hub on the event log delivers the same changes";
            Box::pin(std::future::ready(Err(Failure::new(none))))
        }
    };
}

#[cfg_attr(not(any(feature = "postgres", feature = "sqlite")), allow(unused_macros))]
macro_rules! blocking {
    ($conn:ty, $backend:ty, $wal:ident) => {
        impl Connection for $conn {
            type Backend = $backend;
            type Executor = evented_diesel::spi::BlockingExecutor<Box<$conn>>;
            fn into_executor(self) -> Self::Executor {
                evented_diesel::spi::BlockingExecutor(Box::new(self))
            }
            $wal!();
        }
    };
}

#[cfg_attr(not(feature = "__async"), allow(unused_macros))]
macro_rules! asynchronous {
    ($conn:ty, $backend:ty, $wal:ident) => {
        impl Connection for $conn {
            type Backend = $backend;
            type Executor = evented_diesel::spi::AsyncExecutor<Box<$conn>>;
            fn into_executor(self) -> Self::Executor {
                evented_diesel::spi::AsyncExecutor(Box::new(self))
            }
            $wal!();
        }
    };
}

#[cfg(feature = "postgres")]
blocking!(diesel::PgConnection, diesel::pg::Pg, with_wal);
#[cfg(feature = "sqlite")]
blocking!(diesel::SqliteConnection, diesel::sqlite::Sqlite, without_wal);
#[cfg(feature = "async-postgres")]
asynchronous!(diesel_async::AsyncPgConnection, diesel::pg::Pg, with_wal);
#[cfg(feature = "async-sqlite")]
asynchronous!(
    diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>,
    diesel::sqlite::Sqlite,
    without_wal
);
