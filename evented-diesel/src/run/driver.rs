//! What a step needs from a connection.

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;

use crate::backend::Dialect;
use crate::error::Error;
use crate::operation::Operation;
use crate::statement::{Statement, Text};

/// A connection, blocking or async, as the steps see it, and as a [`Draft`](crate::Draft)'s hook is given it.
///
/// Implemented by this library for all connections; you name it only in bounds.
pub trait Driver<DB: Dialect>: Send + Sized {
    /// Runs a command or a reading within the transaction.
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
    /// Runs a statement that gives no rows; says how many it wrote.
    #[doc(hidden)]
    fn execute(
        &mut self,
        statement: Statement<'_, DB, impl Text>,
    ) -> impl Future<Output = QueryResult<usize>> + Send;
    /// Runs several statements without binds, as migrations are made of.
    #[doc(hidden)]
    fn batch(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> + Send;
    /// Whether a transaction is open.
    #[doc(hidden)]
    fn in_transaction(&mut self) -> QueryResult<bool>;
    /// Opens a transaction, or a savepoint within one.
    #[doc(hidden)]
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
    /// Commits it.
    #[doc(hidden)]
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
    /// Rolls it back.
    #[doc(hidden)]
    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
}
