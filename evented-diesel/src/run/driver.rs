//! What a step needs from a connection.

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;

use crate::backend::Dialect;
use crate::statement::{Statement, Text};

/// A connection, blocking or async, as the steps see it.
pub trait Driver<DB: Dialect>: Send {
    /// Runs a statement and reads its rows.
    fn load<R>(
        &mut self,
        statement: Statement<'_, DB, impl Text>,
    ) -> impl Future<Output = QueryResult<Vec<R>>> + Send
    where
        R: QueryableByName<DB> + Send + 'static;
    /// Runs a statement that gives no rows; says how many it wrote.
    fn execute(
        &mut self,
        statement: Statement<'_, DB, impl Text>,
    ) -> impl Future<Output = QueryResult<usize>> + Send;
    /// Whether a transaction is open.
    fn in_transaction(&mut self) -> QueryResult<bool>;
    /// Opens a transaction, or a savepoint within one.
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
    /// Commits it.
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
    /// Rolls it back.
    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
}
