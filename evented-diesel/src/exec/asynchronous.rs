//! Runs operations on the async connections of diesel-async.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use diesel::QueryResult;
use diesel::connection::CacheSize;
use diesel::deserialize::QueryableByName;
use diesel_async::{AsyncConnection, TransactionManager};

use crate::error::{Error, is_stale_plan};
use crate::exec::executor::{Executor, Operation, sealed};
use crate::sql::{SqlTypes, Statement, Text};

/// Runs an operation on an async connection: `.run(&mut conn).await?`.
///
/// The [`async_prelude`](crate::async_prelude) imports this trait. It works on every connection of diesel-async, pooled
/// or not, inside or outside a transaction.
///
/// Dropping the future before it completes leaves the transaction that it opened open, as in diesel-async's own
/// transactions. Do not use the connection after that. The pools of diesel-async detect such a connection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run on an async connection `{Conn}`",
    label = "not run by `{Conn}`",
    note = "for a blocking connection write `use evented_diesel::prelude::*;` and `.run(conn)` without `.await`",
    note = "a shared `&AsyncPgConnection` cannot hold a transaction of its own: pass the connection, `.run(&mut conn)`",
    note = "for another database give the columns types that it has, too: those of `evented_diesel::sql_types`"
)]
pub trait RunAsync<Conn>: Sized {
    /// The value that the operation returns.
    type Output;

    /// Runs the operation.
    ///
    /// # Errors
    ///
    /// See [`Error`]. After an error, no part of the operation is left half written.
    fn run(self, conn: &mut Conn) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

#[diagnostic::do_not_recommend]
impl<Conn, Op> RunAsync<Conn> for Op
where
    Conn: AsyncConnection,
    Conn::Backend: SqlTypes,
    Op: Operation<Conn::Backend>,
{
    type Output = Op::Output;

    async fn run(self, conn: &mut Conn) -> Result<Self::Output, Error> {
        self.perform(&mut AsyncExecutor(conn)).await
    }
}

/// An async connection, borrowed or boxed.
#[derive(Debug)]
pub struct AsyncExecutor<P>(pub P);

/// Drops the connection's prepared statements if one of them failed because the tables were changed after it was
/// prepared. Otherwise it would fail as long as the connection lives.
fn forget_stale_plans<T>(conn: &mut impl AsyncConnection, result: QueryResult<T>) -> QueryResult<T> {
    if result.as_ref().is_err_and(is_stale_plan) {
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        conn.set_prepared_statement_cache_size(CacheSize::Unbounded);
    }
    result
}

type Manager<P> = <<P as Deref>::Target as AsyncConnection>::TransactionManager;

impl<P> sealed::Executor for AsyncExecutor<P> {}

impl<DB, P> Executor<DB> for AsyncExecutor<P>
where
    DB: SqlTypes,
    P: DerefMut<Target: AsyncConnection<Backend = DB>> + Send,
{
    async fn load<R>(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<Vec<R>>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        let rows = diesel_async::RunQueryDsl::load(statement, &mut *self.0).await;
        forget_stale_plans(&mut *self.0, rows)
    }

    async fn execute(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<usize> {
        let rows = diesel_async::RunQueryDsl::execute(statement, &mut *self.0).await;
        forget_stale_plans(&mut *self.0, rows)
    }

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        diesel_async::SimpleAsyncConnection::batch_execute(&mut *self.0, sql).await
    }

    async fn sleep(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn in_transaction(&mut self) -> QueryResult<bool> {
        let status = Manager::<P>::transaction_manager_status_mut(&mut *self.0);
        Ok(status.transaction_depth()?.is_some())
    }

    async fn begin(&mut self) -> QueryResult<()> {
        Manager::<P>::begin_transaction(&mut *self.0).await
    }

    async fn commit(&mut self) -> QueryResult<()> {
        Manager::<P>::commit_transaction(&mut *self.0).await
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        Manager::<P>::rollback_transaction(&mut *self.0).await
    }
}
