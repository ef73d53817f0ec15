//! The connections that the command can work on.

use crate::backend::Dialect;
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
}

#[cfg_attr(not(any(feature = "postgres", feature = "sqlite")), allow(unused_macros))]
macro_rules! blocking {
    ($conn:ty, $backend:ty) => {
        impl Connection for $conn {
            type Backend = $backend;
            type Driver = crate::run::blocking::Blocking<Box<$conn>>;
            fn into_driver(self) -> Self::Driver {
                crate::run::blocking::Blocking(Box::new(self))
            }
        }
    };
}

#[cfg_attr(not(feature = "__async"), allow(unused_macros))]
macro_rules! asynchronous {
    ($conn:ty, $backend:ty) => {
        impl Connection for $conn {
            type Backend = $backend;
            type Driver = crate::run::asynchronous::Awaiting<Box<$conn>>;
            fn into_driver(self) -> Self::Driver {
                crate::run::asynchronous::Awaiting(Box::new(self))
            }
        }
    };
}

#[cfg(feature = "postgres")]
blocking!(diesel::PgConnection, diesel::pg::Pg);
#[cfg(feature = "sqlite")]
blocking!(diesel::SqliteConnection, diesel::sqlite::Sqlite);
#[cfg(feature = "async-postgres")]
asynchronous!(diesel_async::AsyncPgConnection, diesel::pg::Pg);
#[cfg(feature = "async-sqlite")]
asynchronous!(
    diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>,
    diesel::sqlite::Sqlite
);
