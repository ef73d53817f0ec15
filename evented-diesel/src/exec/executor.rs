//! Defines operations and the executors that they run on.

use std::time::Duration;

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;

use crate::error::Error;
use crate::sql::{SqlTypes, Statement, Text};

/// A command or a read query. It is built first and run later, on a blocking or an async connection.
///
/// `.run(&mut conn)` of [`prelude`](crate::prelude) or of `async_prelude` runs it. Only the evented crates implement
/// this trait; your own code names it in bounds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run: on no database do all the model's fields have the types of their columns",
    note = "to see which field it is, add `#[derive(Queryable, Selectable)]` to the model, and \
            `#[diesel(check_for_backend(diesel::sqlite::Sqlite))]` or `(diesel::pg::Pg)`"
)]
pub trait Operation<DB: SqlTypes>: sealed::Operation + Send {
    /// The value that the operation returns.
    type Output: Send;

    /// Runs the operation on an executor.
    #[doc(hidden)]
    fn perform<E: Executor<DB>>(
        self,
        executor: &mut E,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

/// A connection, blocking or async. The hook `before_append` receives one, and runs read queries and commands on it.
///
/// Only this library implements this trait, for all connections of Diesel and diesel-async; your own code names it in
/// bounds.
pub trait Executor<DB: SqlTypes>: sealed::Executor + Send + Sized {
    /// Runs a command or a read query within the current transaction.
    fn run<Op: Operation<DB>>(
        &mut self,
        operation: Op,
    ) -> impl Future<Output = Result<Op::Output, Error>> + Send {
        operation.perform(self)
    }
    /// Runs a statement and reads its rows.
    #[doc(hidden)]
    fn load<R>(
        &mut self,
        statement: Statement<'_, DB, impl Text>,
    ) -> impl Future<Output = QueryResult<Vec<R>>> + Send
    where
        R: QueryableByName<DB> + Send + 'static;
    /// Runs a statement that returns no rows. Returns the number of rows that it wrote.
    #[doc(hidden)]
    fn execute(
        &mut self,
        statement: Statement<'_, DB, impl Text>,
    ) -> impl Future<Output = QueryResult<usize>> + Send;
    /// Runs several SQL statements without binds, such as the text of a migration.
    #[doc(hidden)]
    fn batch(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> + Send;
    /// Waits for this time, as the connection's kind does: by blocking the thread, or on the runtime.
    #[doc(hidden)]
    fn sleep(&mut self, time: Duration) -> impl Future<Output = ()> + Send;
    /// Returns whether a transaction is open.
    #[doc(hidden)]
    fn in_transaction(&mut self) -> QueryResult<bool>;
    /// Opens a transaction, or a savepoint if one is open.
    #[doc(hidden)]
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
    /// Commits the innermost transaction or savepoint.
    #[doc(hidden)]
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
    /// Rolls the innermost transaction or savepoint back.
    #[doc(hidden)]
    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
}

/// Only the evented crates implement [`Operation`] and [`Executor`]: their methods may change in any version.
pub mod sealed {
    /// A supertrait of every operation.
    pub trait Operation {}
    /// A supertrait of every executor.
    pub trait Executor {}
}
