//! The async face.

use std::future::Future;
use std::ops::{Deref, DerefMut};

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel_async::{AsyncConnection, TransactionManager};

use super::driver::Driver;
use crate::backend::Dialect;
use crate::error::Error;
use crate::operation::Operation;
use crate::statement::{Statement, Text};

/// Runs an operation on an async connection: `.run(&mut conn).await?`.
///
/// In the [`async_prelude`](crate::async_prelude). Any connection of diesel-async's will do, pooled or not, within a
/// transaction or without.
///
/// A future that is dropped half way leaves the transaction it opened open, as diesel-async says of its own: do not
/// put the connection to further use then (its pools notice by themselves).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run on an async connection `{Conn}`",
    label = "not run by `{Conn}`",
    note = "for a blocking connection write `use evented_diesel::prelude::*;` and `.run(conn)` without `.await`",
    note = "for another database give the columns types that it has, too: those of `evented_diesel::sql_types`"
)]
pub trait RunAsync<Conn>: Sized {
    /// What the operation gives.
    type Output;

    /// Runs it.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Nothing is half written, whatever happens.
    fn run(self, conn: &mut Conn) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

#[diagnostic::do_not_recommend]
impl<Conn, Op> RunAsync<Conn> for Op
where
    Conn: AsyncConnection,
    Conn::Backend: Dialect,
    Op: Operation<Conn::Backend>,
{
    type Output = Op::Output;

    async fn run(self, conn: &mut Conn) -> Result<Self::Output, Error> {
        self.perform(&mut Awaiting(conn)).await
    }
}

/// An async connection, borrowed or in a box.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the command for operators names it, where there is one")]
pub struct Awaiting<P>(pub(crate) P);

type Manager<P> = <<P as Deref>::Target as AsyncConnection>::TransactionManager;

impl<DB, P> Driver<DB> for Awaiting<P>
where
    DB: Dialect,
    P: DerefMut<Target: AsyncConnection<Backend = DB>> + Send,
{
    async fn load<R>(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<Vec<R>>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        diesel_async::RunQueryDsl::load(statement, &mut *self.0).await
    }

    async fn execute(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<usize> {
        diesel_async::RunQueryDsl::execute(statement, &mut *self.0).await
    }

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        diesel_async::SimpleAsyncConnection::batch_execute(&mut *self.0, sql).await
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
