//! The blocking face.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use diesel::QueryResult;
use diesel::connection::{LoadConnection, TransactionManager};
use diesel::deserialize::QueryableByName;

use super::driver::Driver;
use crate::backend::Dialect;
use crate::error::Error;
use crate::operation::Operation;
use crate::statement::{Statement, Text};

/// Runs an operation on a blocking connection: `.run(&mut conn)?`.
///
/// In the [`prelude`](crate::prelude). Any connection of Diesel's will do, pooled or not, within a transaction or
/// without.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run on a blocking connection `{Conn}`",
    label = "not run by `{Conn}`",
    note = "for an async connection write `use evented_diesel::async_prelude::*;` and `.run(conn).await`",
    note = "for another database give the columns types that it has, too: those of `evented_diesel::sql_types`"
)]
pub trait Run<Conn>: Sized {
    /// What the operation gives.
    type Output;

    /// Runs it.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Nothing is half written, whatever happens.
    fn run(self, conn: &mut Conn) -> Result<Self::Output, Error>;
}

#[diagnostic::do_not_recommend]
impl<Conn, Op> Run<Conn> for Op
where
    Conn: LoadConnection + Send,
    Conn::Backend: Dialect,
    Op: Operation<Conn::Backend>,
{
    type Output = Op::Output;

    fn run(self, conn: &mut Conn) -> Result<Self::Output, Error> {
        finished(self.perform(&mut Blocking(conn)))
    }
}

/// The result of a future that never waits.
fn finished<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        // Every future of a blocking driver is ready at once, and the steps wait for nothing else.
        Poll::Pending => Err(Error::Waited),
    }
}

struct Blocking<'c, Conn>(&'c mut Conn);

impl<DB: Dialect, Conn: LoadConnection<Backend = DB> + Send> Driver<DB> for Blocking<'_, Conn> {
    async fn load<R>(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<Vec<R>>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        diesel::RunQueryDsl::load(statement, self.0)
    }

    async fn execute(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<usize> {
        diesel::RunQueryDsl::execute(statement, self.0)
    }

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        self.0.batch_execute(sql)
    }

    fn in_transaction(&mut self) -> QueryResult<bool> {
        let status = Conn::TransactionManager::transaction_manager_status_mut(self.0);
        Ok(status.transaction_depth()?.is_some())
    }

    async fn begin(&mut self) -> QueryResult<()> {
        Conn::TransactionManager::begin_transaction(self.0)
    }

    async fn commit(&mut self) -> QueryResult<()> {
        Conn::TransactionManager::commit_transaction(self.0)
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        Conn::TransactionManager::rollback_transaction(self.0)
    }
}
