//! The blocking face.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use diesel::QueryResult;
use diesel::connection::{Connection, LoadConnection, SimpleConnection, TransactionManager};
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

/// The result of an operation on a connection that never waits.
fn finished<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    ready(future).unwrap_or(Err(Error::Waited))
}

/// What a future gives that never waits. Every future of a blocking driver is ready at once, and the steps wait for
/// nothing else.
pub(crate) fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A blocking connection, borrowed or in a box.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the command for operators names it, where there is one")]
pub struct Blocking<P>(pub(crate) P);

type Manager<P> = <<P as Deref>::Target as Connection>::TransactionManager;

impl<DB, P> Driver<DB> for Blocking<P>
where
    DB: Dialect,
    P: DerefMut<Target: LoadConnection<Backend = DB>> + Send,
{
    async fn load<R>(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<Vec<R>>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        diesel::RunQueryDsl::load(statement, &mut *self.0)
    }

    async fn execute(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<usize> {
        diesel::RunQueryDsl::execute(statement, &mut *self.0)
    }

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        self.0.batch_execute(sql)
    }

    fn in_transaction(&mut self) -> QueryResult<bool> {
        let status = Manager::<P>::transaction_manager_status_mut(&mut *self.0);
        Ok(status.transaction_depth()?.is_some())
    }

    async fn begin(&mut self) -> QueryResult<()> {
        Manager::<P>::begin_transaction(&mut *self.0)
    }

    async fn commit(&mut self) -> QueryResult<()> {
        Manager::<P>::commit_transaction(&mut *self.0)
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        Manager::<P>::rollback_transaction(&mut *self.0)
    }
}
