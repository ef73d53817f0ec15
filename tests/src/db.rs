//! Provides a database for each test, in each setting.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::{PgConnection, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::spi::SqlTypes;
use evented_diesel::{Error, EventedBackend, Operation};
use evented_feed::wal::create_publication;
use evented_feed::{Hub, HubBuilder, WalHubBuilder};
use evented_wal::{Config, Slot, TableName};
use tempfile::TempDir;

use crate::watch::Watch;

mod face;

pub use face::{Face, connect, connect_async};

/// PostgreSQL, blocking.
pub type SyncPostgres = Db<PgConnection>;
/// PostgreSQL, async.
pub type AsyncPostgres = Db<AsyncPgConnection>;
/// SQLite, blocking.
pub type SyncSqlite = Db<SqliteConnection>;
/// SQLite, async.
pub type AsyncSqlite = Db<SyncConnectionWrapper<SqliteConnection>>;

/// One connection to the test's own database: a schema of the server, or a file.
#[expect(missing_debug_implementations, reason = "a connection has none")]
pub struct Db<Conn> {
    /// The connection.
    pub conn: Conn,
    /// The URL of the database, or the path of the file.
    pub url: String,
    /// The folder of the file, which is deleted with the last connection; `None` on PostgreSQL.
    folder: Option<Arc<TempDir>>,
}

impl<Conn: Face> Db<Conn> {
    /// The kind of database.
    pub const DATABASE: Database = <Conn::Backend>::DATABASE;

    /// Creates a new database with all tables.
    #[must_use]
    pub async fn new() -> Self {
        Self::on(postgres_url).await
    }

    /// Creates a new database with all tables; on PostgreSQL, a schema on this server.
    #[must_use]
    pub async fn on(server: impl FnOnce() -> String) -> Self {
        let (url, folder, first) = match Self::DATABASE {
            Database::Postgres => {
                let (schema, url) = fresh_schema(&server());
                (url, None, format!("CREATE SCHEMA {schema}"))
            }
            Database::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let file = folder.path().join("test.db").to_string_lossy().into_owned();
                (file, Some(Arc::new(folder)), "PRAGMA journal_mode = WAL".to_owned())
            }
        };
        let mut db = Self::open(url, folder).await;
        db.sql(&first).await;
        db.sql(&tables(Self::DATABASE)).await;
        db
    }

    async fn open(url: String, folder: Option<Arc<TempDir>>) -> Self {
        let conn = Conn::open(&url).await.expect("a connection");
        Self { conn, url, folder }
    }

    /// Opens a further connection to the same database.
    #[must_use]
    pub async fn connect(&self) -> Self {
        Self::open(self.url.clone(), self.folder.clone()).await
    }

    /// Starts a hub on this database.
    pub async fn hub(&self, hub: HubBuilder) -> Hub {
        Conn::hub(hub, self.url.clone(), self.folder.clone()).await
    }

    /// Runs an operation.
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    pub async fn run<Op: Operation<Conn::Backend>>(&mut self, operation: Op) -> Result<Op::Output, Error> {
        self.conn.perform(operation).await
    }

    /// Begins a transaction of the caller.
    pub async fn begin(&mut self) {
        self.conn.begin().await.expect("begin");
    }

    /// Commits the transaction.
    pub async fn commit(&mut self) {
        self.conn.commit().await.expect("commit");
    }

    /// Rolls the transaction back.
    pub async fn rollback(&mut self) {
        self.conn.rollback().await.expect("rollback");
    }

    /// Runs plain SQL.
    pub async fn sql(&mut self, sql: &str) {
        self.try_sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs plain SQL that may fail.
    ///
    /// # Errors
    ///
    /// The errors of the database.
    pub async fn try_sql(&mut self, sql: &str) -> diesel::QueryResult<()> {
        self.conn.execute(sql).await
    }

    /// Runs a query, and returns its number.
    pub async fn number(&mut self, sql: &str) -> i64 {
        let query = format!("SELECT CAST(({sql}) AS BIGINT) AS count");
        self.conn.count(query).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a query, and returns the texts of its column `text`.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        self.conn.texts(sql.to_owned()).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Records the statements that the connection sends from now on.
    pub fn watch(&mut self) -> Watch {
        let watch = Watch::default();
        self.conn.watched_by(&watch);
        watch
    }
}

impl<Conn: Face<Backend = diesel::sqlite::Sqlite>> Db<Conn> {
    /// Returns the path of the SQLite file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.url)
    }
}

impl<Conn: Face<Backend = diesel::pg::Pg>> Db<Conn> {
    /// Starts a hub on the write-ahead log, for the tables of this schema.
    pub async fn tailing_hub(&mut self, hub: WalHubBuilder, tables: Vec<TableName>) -> Hub {
        let publication =
            self.number("SELECT count(*) FROM pg_publication WHERE pubname = current_schema()").await;
        let (_, schema) = self.url.split_once("search_path%3D").expect("a schema");
        let schema = schema.to_owned();
        if publication == 0 {
            self.run(create_publication(&schema, tables)).await.expect("a publication");
        }
        let config = Config::from_url(&self.url, Slot::temporary(), schema).expect("a URL");
        Conn::tailing_hub(hub, config).await
    }
}

/// A setting, for code that is the same in all settings.
#[expect(async_fn_in_trait, reason = "nobody else implements it")]
pub trait Setting {
    /// The Diesel backend of the connection.
    type Backend: EventedBackend;
    /// Runs an operation.
    async fn run<Op: Operation<Self::Backend>>(&mut self, operation: Op) -> Result<Op::Output, Error>;
    /// Runs plain SQL.
    async fn sql(&mut self, sql: &str);
    /// Runs a query, and returns its number.
    async fn number(&mut self, sql: &str) -> i64;
}

impl<Conn: Face> Setting for Db<Conn> {
    type Backend = Conn::Backend;
    async fn run<Op: Operation<Conn::Backend>>(&mut self, operation: Op) -> Result<Op::Output, Error> {
        Db::run(self, operation).await
    }
    async fn sql(&mut self, sql: &str) {
        Db::sql(self, sql).await;
    }
    async fn number(&mut self, sql: &str) -> i64 {
        Db::number(self, sql).await
    }
}

/// Returns the URL of the server that `cargo xtask test` started.
///
/// # Panics
///
/// If there is no server: the tests of PostgreSQL need one.
#[must_use]
pub fn postgres_url() -> String {
    std::env::var("EVENTED_TEST_POSTGRES")
        .expect("EVENTED_TEST_POSTGRES names no server: run the tests with `cargo xtask test`")
}

/// Returns a name for the test's own schema on that server, and the URL of the schema.
fn fresh_schema(server: &str) -> (String, String) {
    // Process ids are reused, and a server may outlive many runs.
    let name = format!("t{}", uuid::Uuid::now_v7().simple());
    let url = format!("{server}?options=-csearch_path%3D{name}");
    (name, url)
}

/// Returns the SQL that creates every table of [`models`](crate::models), logs included.
#[must_use]
pub fn tables(database: Database) -> String {
    let tables = match database {
        Database::Postgres => include_str!("models/postgres.sql"),
        Database::Sqlite => include_str!("models/sqlite.sql"),
    };
    format!("{tables}\n{}", logs().up_sql(database))
}

/// Returns the migrations of the logs of every model.
pub fn logs() -> Migrations {
    use crate::models::racing::Racer;
    use crate::models::stepped::Stepped;
    use crate::models::{Counter, Healed, Item, Note, Page, Strict};
    Migrations::new()
        .log::<Item>()
        .log::<Note>()
        .log::<Counter>()
        .log::<Page>()
        .log::<Strict>()
        .log::<Healed>()
        .log::<Racer>()
        .log::<Stepped>()
        .bus::<evented_diesel::DomainEvents>()
}

/// A row with one number, which a test can read in every setting.
#[derive(Debug, diesel::QueryableByName)]
pub(crate) struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(crate) count: i64,
}

/// A row with one text.
#[derive(Debug, diesel::QueryableByName)]
pub(crate) struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub(crate) text: String,
}
