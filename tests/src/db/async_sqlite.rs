//! SQLite, async.

use diesel::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use evented_diesel::listen::{Hub, HubBuilder};
use evented_diesel::migrations::Flavour;
use evented_diesel::{Error, Operation, RunAsync};
use std::sync::Arc;
use tempfile::TempDir;

use super::{Count, tables};
use crate::watch::Watch;

/// One connection to a database file of the test's own.
#[expect(missing_debug_implementations, reason = "a connection has none")]
pub struct AsyncSqlite {
    /// The connection.
    pub conn: SyncConnectionWrapper<SqliteConnection>,
    folder: Arc<TempDir>,
}

/// The database behind the connection.
type Backend = diesel::sqlite::Sqlite;

impl AsyncSqlite {
    /// Which database it is.
    pub const FLAVOUR: Flavour = Flavour::Sqlite;

    /// A fresh database with all tables.
    #[must_use]
    pub async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let mut db = Self::open(folder).await;
        db.sql("PRAGMA journal_mode = WAL").await;
        db.sql(&tables(Self::FLAVOUR)).await;
        db
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("test.db")
    }

    async fn open(folder: Arc<TempDir>) -> Self {
        let path = folder.path().join("test.db");
        let mut conn = SyncConnectionWrapper::<SqliteConnection>::establish(&path.to_string_lossy())
            .await
            .expect("a connection");
        conn.batch_execute("PRAGMA busy_timeout = 20000; PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF")
            .await
            .expect("pragmas");
        Self { conn, folder }
    }

    /// A further connection to the same database.
    #[must_use]
    pub async fn connect(&self) -> Self {
        Self::open(self.folder.clone()).await
    }

    /// Starts a hub on this database.
    pub async fn hub(&self, hub: HubBuilder) -> Hub {
        let folder = Arc::clone(&self.folder);
        let connect = move || {
            let folder = Arc::clone(&folder);
            async move { Ok::<_, diesel::ConnectionError>(Self::open(folder).await.conn) }
        };
        hub.spawn(connect).await.expect("a hub")
    }

    /// Runs an operation.
    ///
    /// # Errors
    ///
    /// Those of the operation.
    pub async fn run<Op: Operation<Backend>>(&mut self, operation: Op) -> Result<Op::Output, Error> {
        operation.run(&mut self.conn).await
    }

    /// Opens a transaction of the caller's.
    pub async fn begin(&mut self) {
        use diesel_async::TransactionManager;
        <SyncConnectionWrapper<SqliteConnection> as AsyncConnection>::TransactionManager::begin_transaction(
            &mut self.conn,
        )
        .await
        .expect("begin");
    }

    /// Commits it.
    pub async fn commit(&mut self) {
        use diesel_async::TransactionManager;
        <SyncConnectionWrapper<SqliteConnection> as AsyncConnection>::TransactionManager::commit_transaction(
            &mut self.conn,
        )
        .await
        .expect("commit");
    }

    /// Rolls it back.
    pub async fn rollback(&mut self) {
        use diesel_async::TransactionManager;
        <SyncConnectionWrapper<SqliteConnection> as AsyncConnection>::TransactionManager::rollback_transaction(&mut self.conn).await.expect("rollback");
    }

    /// Runs plain SQL.
    pub async fn sql(&mut self, sql: &str) {
        self.conn.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs plain SQL that may fail.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn try_sql(&mut self, sql: &str) -> diesel::QueryResult<()> {
        self.conn.batch_execute(sql).await
    }

    /// The number that a query gives.
    pub async fn number(&mut self, sql: &str) -> i64 {
        let query = diesel::sql_query(format!("SELECT CAST(({sql}) AS BIGINT) AS count"));
        query.get_result::<Count>(&mut self.conn).await.unwrap_or_else(|error| panic!("{sql}: {error}")).count
    }

    /// What a Diesel query gives.
    pub async fn load<T, Q>(&mut self, query: Q) -> Vec<T>
    where
        T: Send + 'static,
        Q: diesel_async::methods::LoadQuery<'static, SyncConnectionWrapper<SqliteConnection>, T> + 'static,
    {
        query.load(&mut self.conn).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes down what the connection sends from now on.
    pub fn watch(&mut self) -> Watch {
        let watch = Watch::default();
        self.conn.set_instrumentation(watch.instrumentation());
        watch
    }
}
