//! Runs operations on the blocking connections of Diesel.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use diesel::QueryResult;
use diesel::connection::{CacheSize, Connection, LoadConnection, SimpleConnection, TransactionManager};
use diesel::deserialize::QueryableByName;

use crate::error::{Error, is_stale_plan};
use crate::exec::executor::{Executor, Operation, sealed};
use crate::sql::{SqlTypes, Statement, Text};

/// Runs an operation on a blocking connection: `.run(&mut conn)?`.
///
/// The [`prelude`](crate::prelude) imports this trait. It works on every connection of Diesel, pooled or not, inside or
/// outside a transaction.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run on a blocking connection `{Conn}`",
    label = "not run by `{Conn}`",
    note = "for an async connection write `use evented_diesel::async_prelude::*;` and `.run(conn).await`",
    note = "for an enum of `#[derive(diesel::MultiConnection)]` write `evented_diesel::run_on!(conn, AnyConn::Pg | AnyConn::Sqlite, …)`",
    note = "for another database give the columns types that it has, too: those of `evented_diesel::sql_types`"
)]
pub trait Run<Conn>: Sized {
    /// The value that the operation returns.
    type Output;

    /// Runs the operation.
    ///
    /// # Errors
    ///
    /// See [`Error`]. After an error, no part of the operation is left half written.
    fn run(self, conn: &mut Conn) -> Result<Self::Output, Error>;
}

#[diagnostic::do_not_recommend]
impl<Conn, Op> Run<Conn> for Op
where
    Conn: LoadConnection + Send,
    Conn::Backend: SqlTypes,
    Op: Operation<Conn::Backend>,
{
    type Output = Op::Output;

    fn run(self, conn: &mut Conn) -> Result<Self::Output, Error> {
        finished(self.perform(&mut BlockingExecutor(conn)))
    }
}

/// Runs an operation on the connection inside an enum, such as one of `#[derive(diesel::MultiConnection)]`.
///
/// The enum itself is a connection to no single database, so it cannot run an operation. The macro takes the connection,
/// its variants and the operation, and runs the operation on the variant's own connection. The model must work on the
/// databases of all variants: see [`sql_types`](crate::sql_types).
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use diesel::prelude::*;
/// use evented_diesel::prelude::*;
/// use evented_diesel::run_on;
///
/// enum AnyConnection {
///     Main(SqliteConnection),
///     Archive(SqliteConnection),
/// }
/// # diesel::table! { notes (id) { id -> Integer, text -> Text, } }
/// # #[derive(Evented, Clone, Debug)]
/// # #[diesel(table_name = notes)]
/// # struct Note { id: i32, text: String }
///
/// fn write(conn: &mut AnyConnection) -> Result<Note, evented_diesel::Error> {
///     let note = Note::insert(NewNote { text: "Buy milk".into() });
///     run_on!(conn, AnyConnection::Main | AnyConnection::Archive, note)
/// }
/// # }
/// ```
#[macro_export]
macro_rules! run_on {
    ($connection:expr, $($variant:path)|+, $operation:expr $(,)?) => {
        match $connection {
            $($variant(connection) => $crate::Run::run($operation, connection),)+
        }
    };
}

/// Returns the result of an operation on a connection that never waits.
fn finished<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    ready(future).unwrap_or(Err(Error::NotReady))
}

/// Polls a future once and returns its output; `None` if it is not ready. Every future of a blocking executor is ready
/// at its first poll, and the steps of an operation await nothing else.
pub fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A blocking connection, borrowed or boxed.
#[derive(Debug)]
pub struct BlockingExecutor<P>(pub P);

/// Drops the connection's prepared statements if one of them failed because the tables were changed after it was
/// prepared. Otherwise it would fail as long as the connection lives.
fn forget_stale_plans<T>(conn: &mut impl Connection, result: QueryResult<T>) -> QueryResult<T> {
    if result.as_ref().is_err_and(is_stale_plan) {
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        conn.set_prepared_statement_cache_size(CacheSize::Unbounded);
    }
    result
}

type Manager<P> = <<P as Deref>::Target as Connection>::TransactionManager;

impl<P> sealed::Executor for BlockingExecutor<P> {}

impl<DB, P> Executor<DB> for BlockingExecutor<P>
where
    DB: SqlTypes,
    P: DerefMut<Target: LoadConnection<Backend = DB>> + Send,
{
    async fn load<R>(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<Vec<R>>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        let rows = diesel::RunQueryDsl::load(statement, &mut *self.0);
        forget_stale_plans(&mut *self.0, rows)
    }

    async fn execute(&mut self, statement: Statement<'_, DB, impl Text>) -> QueryResult<usize> {
        let rows = diesel::RunQueryDsl::execute(statement, &mut *self.0);
        forget_stale_plans(&mut *self.0, rows)
    }

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        self.0.batch_execute(sql)
    }

    async fn sleep(&mut self, time: Duration) {
        std::thread::sleep(time);
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
