//! Abstracts over blocking and async connections of Diesel: each connection implements it for [`Db`](super::Db).

use std::sync::Arc;

use diesel::query_dsl::LoadQuery;
use diesel::sqlite::SqliteConnection;
use diesel::{ConnectionError, ConnectionResult, PgConnection, QueryResult};
use diesel_async::AsyncPgConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use evented_diesel::{Error, EventedBackend, Operation};
use evented_feed::{Hub, HubBuilder, WalHubBuilder};
use tempfile::TempDir;

use super::{Count, Db, Text};
use crate::watch::Watch;

/// A connection, blocking or async.
#[expect(async_fn_in_trait, reason = "nobody else implements it")]
pub trait Face: Sized {
    /// The Diesel backend of the connection.
    type Backend: EventedBackend;
    /// Opens a connection.
    async fn open(url: &str) -> ConnectionResult<Self>;
    /// Runs an operation.
    async fn perform<Op: Operation<Self::Backend>>(&mut self, operation: Op) -> Result<Op::Output, Error>;
    /// Runs plain SQL.
    async fn execute(&mut self, sql: &str) -> QueryResult<()>;
    /// Runs plain SQL that returns one row with a column `count`.
    async fn count(&mut self, sql: String) -> QueryResult<i64>;
    /// Runs plain SQL that returns rows with a column `text`.
    async fn texts(&mut self, sql: String) -> QueryResult<Vec<String>>;
    /// Begins a transaction.
    async fn begin(&mut self) -> QueryResult<()>;
    /// Commits the transaction.
    async fn commit(&mut self) -> QueryResult<()>;
    /// Rolls the transaction back.
    async fn rollback(&mut self) -> QueryResult<()>;
    /// Makes `watch` record the statements that the connection sends from now on.
    fn watched_by(&mut self, watch: &Watch);
    /// Starts a hub, and keeps the folder of an SQLite file alive for it.
    async fn hub(hub: HubBuilder, url: String, folder: Option<Arc<TempDir>>) -> Hub;
    /// Starts a hub on the write-ahead log.
    async fn tailing_hub(hub: WalHubBuilder, config: evented_wal::Config) -> Hub;
}

macro_rules! blocking {
    ($conn:ty) => {
        impl Face for $conn {
            type Backend = <$conn as diesel::Connection>::Backend;
            async fn open(url: &str) -> ConnectionResult<Self> {
                connect(url)
            }
            async fn perform<Op: Operation<Self::Backend>>(
                &mut self,
                operation: Op,
            ) -> Result<Op::Output, Error> {
                evented_diesel::Run::run(operation, self)
            }
            async fn execute(&mut self, sql: &str) -> QueryResult<()> {
                diesel::connection::SimpleConnection::batch_execute(self, sql)
            }
            async fn count(&mut self, sql: String) -> QueryResult<i64> {
                let row = diesel::RunQueryDsl::get_result::<Count>(diesel::sql_query(sql), self)?;
                Ok(row.count)
            }
            async fn texts(&mut self, sql: String) -> QueryResult<Vec<String>> {
                let rows = diesel::RunQueryDsl::load::<Text>(diesel::sql_query(sql), self)?;
                Ok(rows.into_iter().map(|row| row.text).collect())
            }
            async fn begin(&mut self) -> QueryResult<()> {
                use diesel::connection::{AnsiTransactionManager, TransactionManager};
                AnsiTransactionManager::begin_transaction(self)
            }
            async fn commit(&mut self) -> QueryResult<()> {
                use diesel::connection::{AnsiTransactionManager, TransactionManager};
                AnsiTransactionManager::commit_transaction(self)
            }
            async fn rollback(&mut self) -> QueryResult<()> {
                use diesel::connection::{AnsiTransactionManager, TransactionManager};
                AnsiTransactionManager::rollback_transaction(self)
            }
            fn watched_by(&mut self, watch: &Watch) {
                diesel::Connection::set_instrumentation(self, watch.instrumentation());
            }
            async fn hub(hub: HubBuilder, url: String, folder: Option<Arc<TempDir>>) -> Hub {
                let connect = move || {
                    let _kept = &folder;
                    connect::<Self>(&url)
                };
                hub.start(connect).expect("a hub")
            }
            async fn tailing_hub(hub: WalHubBuilder, config: evented_wal::Config) -> Hub {
                hub.start(config).expect("a hub")
            }
        }

        impl Db<$conn> {
            /// Runs a Diesel query, and returns its rows.
            pub async fn load<T, Q>(&mut self, query: Q) -> Vec<T>
            where
                Q: LoadQuery<'static, $conn, T> + 'static,
            {
                diesel::RunQueryDsl::load(query, &mut self.conn).unwrap_or_else(|error| panic!("{error}"))
            }
        }
    };
}

macro_rules! awaiting {
    ($conn:ty) => {
        impl Face for $conn {
            type Backend = <$conn as diesel_async::AsyncConnectionCore>::Backend;
            async fn open(url: &str) -> ConnectionResult<Self> {
                connect_async(url).await
            }
            async fn perform<Op: Operation<Self::Backend>>(
                &mut self,
                operation: Op,
            ) -> Result<Op::Output, Error> {
                evented_diesel::RunAsync::run(operation, self).await
            }
            async fn execute(&mut self, sql: &str) -> QueryResult<()> {
                diesel_async::SimpleAsyncConnection::batch_execute(self, sql).await
            }
            async fn count(&mut self, sql: String) -> QueryResult<i64> {
                let query = diesel::sql_query(sql);
                let row = diesel_async::RunQueryDsl::get_result::<Count>(query, self).await?;
                Ok(row.count)
            }
            async fn texts(&mut self, sql: String) -> QueryResult<Vec<String>> {
                let rows = diesel_async::RunQueryDsl::load::<Text>(diesel::sql_query(sql), self).await?;
                Ok(rows.into_iter().map(|row| row.text).collect())
            }
            async fn begin(&mut self) -> QueryResult<()> {
                use diesel_async::{AsyncConnection, TransactionManager};
                <Self as AsyncConnection>::TransactionManager::begin_transaction(self).await
            }
            async fn commit(&mut self) -> QueryResult<()> {
                use diesel_async::{AsyncConnection, TransactionManager};
                <Self as AsyncConnection>::TransactionManager::commit_transaction(self).await
            }
            async fn rollback(&mut self) -> QueryResult<()> {
                use diesel_async::{AsyncConnection, TransactionManager};
                <Self as AsyncConnection>::TransactionManager::rollback_transaction(self).await
            }
            fn watched_by(&mut self, watch: &Watch) {
                diesel_async::AsyncConnection::set_instrumentation(self, watch.instrumentation());
            }
            async fn hub(hub: HubBuilder, url: String, folder: Option<Arc<TempDir>>) -> Hub {
                let connect = move || {
                    let _kept = &folder;
                    let url = url.clone();
                    async move { connect_async::<Self>(&url).await }
                };
                hub.spawn(connect).await.expect("a hub")
            }
            async fn tailing_hub(hub: WalHubBuilder, config: evented_wal::Config) -> Hub {
                hub.spawn(config).await.expect("a hub")
            }
        }

        impl Db<$conn> {
            /// Runs a Diesel query, and returns its rows.
            pub async fn load<T, Q>(&mut self, query: Q) -> Vec<T>
            where
                T: Send + 'static,
                Q: diesel_async::methods::LoadQuery<'static, $conn, T> + 'static,
            {
                let rows = diesel_async::RunQueryDsl::load(query, &mut self.conn).await;
                rows.unwrap_or_else(|error| panic!("{error}"))
            }
        }
    };
}

blocking!(PgConnection);
blocking!(SqliteConnection);
awaiting!(AsyncPgConnection);
awaiting!(SyncConnectionWrapper<SqliteConnection>);

/// The settings of every connection to a file. A connection to a server needs none.
const PRAGMAS: &str = "PRAGMA busy_timeout = 20000; PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF";

fn is_file(url: &str) -> bool {
    !url.starts_with("postgres")
}

/// Opens a blocking connection, with the settings of every connection to a file.
///
/// # Errors
///
/// If it cannot be opened.
pub fn connect<Conn: diesel::Connection>(url: &str) -> ConnectionResult<Conn> {
    let mut conn = Conn::establish(url)?;
    if is_file(url) {
        conn.batch_execute(PRAGMAS).map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(conn)
}

/// Opens an async connection, with the settings of every connection to a file.
///
/// # Errors
///
/// If it cannot be opened.
pub async fn connect_async<Conn: diesel_async::AsyncConnection>(url: &str) -> ConnectionResult<Conn> {
    let mut conn = Conn::establish(url).await?;
    if is_file(url) {
        conn.batch_execute(PRAGMAS).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(conn)
}
