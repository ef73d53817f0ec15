//! The connections that the command can work on.

#[cfg(feature = "wal")]
use super::commands::wal;
#[cfg(feature = "wal")]
use super::erased::Steps;
#[cfg(all(feature = "wal", feature = "sqlite"))]
use super::failure::Failure;
use crate::backend::Dialect;
#[cfg(feature = "wal")]
use crate::model::Rows;
use crate::run::driver::Driver;

/// A connection that the [command](super::Operators) can work on: `PgConnection`, `SqliteConnection`,
/// `AsyncPgConnection`, and `SyncConnectionWrapper<SqliteConnection>`, as the features have them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connection that the command for operators can work on",
    note = "it can on `PgConnection`, `SqliteConnection`, `AsyncPgConnection` and \
            `SyncConnectionWrapper<SqliteConnection>`, with the features `postgres`, `sqlite`, `async-postgres` and \
            `async-sqlite` of `evented-diesel`"
)]
pub trait Connection: Send + Sized + 'static {
    /// The database behind it.
    type Backend: Dialect;
    /// It, as the steps see it.
    #[doc(hidden)]
    type Driver: Driver<Self::Backend> + 'static;
    /// Gives it to the steps.
    #[doc(hidden)]
    fn into_driver(self) -> Self::Driver;
    /// The tables of a model that a reader of the write-ahead log is to see.
    #[cfg(feature = "wal")]
    #[doc(hidden)]
    fn tables<M: Rows<Self::Backend>>() -> wal::Tables;
    /// Does something about the write-ahead log.
    #[cfg(feature = "wal")]
    #[doc(hidden)]
    fn wal(driver: &mut Self::Driver, asked: wal::Asked) -> Steps<'_, wal::Done>;
}

/// On a database that has a write-ahead log to be read.
#[cfg_attr(not(feature = "__pg"), allow(unused_macros))]
macro_rules! with_wal {
    () => {
        #[cfg(feature = "wal")]
        fn tables<M: Rows<Self::Backend>>() -> wal::Tables {
            wal::Tables::of::<M>()
        }
        #[cfg(feature = "wal")]
        fn wal(driver: &mut Self::Driver, asked: wal::Asked) -> Steps<'_, wal::Done> {
            Box::pin(wal::run(driver, asked))
        }
    };
}

/// On one that has none.
#[cfg_attr(not(feature = "sqlite"), allow(unused_macros))]
macro_rules! without_wal {
    () => {
        #[cfg(feature = "wal")]
        fn tables<M: Rows<Self::Backend>>() -> wal::Tables {
            wal::Tables::default()
        }
        #[cfg(feature = "wal")]
        fn wal(_: &mut Self::Driver, _: wal::Asked) -> Steps<'_, wal::Done> {
            let none = "SQLite's write-ahead log cannot be read; a hub on the event log tells the same";
            Box::pin(std::future::ready(Err(Failure::new(none))))
        }
    };
}

#[cfg_attr(not(any(feature = "postgres", feature = "sqlite")), allow(unused_macros))]
macro_rules! blocking {
    ($conn:ty, $backend:ty, $wal:ident) => {
        impl Connection for $conn {
            type Backend = $backend;
            type Driver = crate::run::blocking::Blocking<Box<$conn>>;
            fn into_driver(self) -> Self::Driver {
                crate::run::blocking::Blocking(Box::new(self))
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
            type Driver = crate::run::asynchronous::Awaiting<Box<$conn>>;
            fn into_driver(self) -> Self::Driver {
                crate::run::asynchronous::Awaiting(Box::new(self))
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
