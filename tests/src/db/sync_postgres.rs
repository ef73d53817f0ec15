//! PostgreSQL, blocking.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl};
use evented_diesel::listen::{Hub, HubBuilder, TailingBuilder};
use evented_diesel::migrations::Flavour;
use evented_diesel::wal::{Config, Slot, TableName, create_publication};
use evented_diesel::{Error, Operation, Run};

use super::{Count, fresh_schema, tables};
use crate::watch::Watch;

/// One connection to a schema of the test's own.
#[expect(missing_debug_implementations, reason = "a connection has none")]
pub struct SyncPostgres {
    /// The connection.
    pub conn: PgConnection,
    /// The URL that leads into the schema.
    pub url: String,
}

/// The database behind the connection.
type Backend = diesel::pg::Pg;

impl SyncPostgres {
    /// Which database it is.
    pub const FLAVOUR: Flavour = Flavour::Postgres;

    /// A fresh schema with all tables.
    #[must_use]
    pub async fn new() -> Self {
        let (schema, url) = fresh_schema();
        let mut db = Self::open(url).await;
        db.sql(&format!("CREATE SCHEMA {schema}")).await;
        db.sql(&tables(Self::FLAVOUR)).await;
        db
    }

    async fn open(url: String) -> Self {
        let conn = PgConnection::establish(&url).expect("a connection");
        Self { conn, url }
    }

    /// A further connection to the same schema.
    #[must_use]
    pub async fn connect(&self) -> Self {
        Self::open(self.url.clone()).await
    }

    /// Starts a hub on this schema.
    pub async fn hub(&self, hub: HubBuilder) -> Hub {
        let url = self.url.clone();
        hub.start(move || PgConnection::establish(&url)).expect("a hub")
    }

    /// Starts a hub on the write-ahead log, as far as it is of this schema.
    pub async fn tailing_hub(&mut self, hub: TailingBuilder, tables: Vec<TableName>) -> Hub {
        let publication =
            self.number("SELECT count(*) FROM pg_publication WHERE pubname = current_schema()").await;
        let name: Vec<String> = self.url.split("search_path%3D").map(str::to_owned).collect();
        if publication == 0 {
            self.run(create_publication(&name[1], tables)).await.expect("a publication");
        }
        let config = Config::from_url(&self.url, Slot::temporary(), name[1].clone()).expect("a URL");
        hub.start(config).expect("a hub")
    }

    /// Runs an operation.
    ///
    /// # Errors
    ///
    /// Those of the operation.
    pub async fn run<Op: Operation<Backend>>(&mut self, operation: Op) -> Result<Op::Output, Error> {
        operation.run(&mut self.conn)
    }

    /// Opens a transaction of the caller's.
    pub async fn begin(&mut self) {
        use diesel::connection::TransactionManager;
        <PgConnection as Connection>::TransactionManager::begin_transaction(&mut self.conn).expect("begin");
    }

    /// Commits it.
    pub async fn commit(&mut self) {
        use diesel::connection::TransactionManager;
        <PgConnection as Connection>::TransactionManager::commit_transaction(&mut self.conn).expect("commit");
    }

    /// Rolls it back.
    pub async fn rollback(&mut self) {
        use diesel::connection::TransactionManager;
        <PgConnection as Connection>::TransactionManager::rollback_transaction(&mut self.conn)
            .expect("rollback");
    }

    /// Runs plain SQL.
    pub async fn sql(&mut self, sql: &str) {
        self.conn.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs plain SQL that may fail.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn try_sql(&mut self, sql: &str) -> diesel::QueryResult<()> {
        self.conn.batch_execute(sql)
    }

    /// The number that a query gives.
    pub async fn number(&mut self, sql: &str) -> i64 {
        let query = diesel::sql_query(format!("SELECT CAST(({sql}) AS BIGINT) AS count"));
        query.get_result::<Count>(&mut self.conn).unwrap_or_else(|error| panic!("{sql}: {error}")).count
    }

    /// What a Diesel query gives.
    pub async fn load<T, Q>(&mut self, query: Q) -> Vec<T>
    where
        Q: diesel::query_dsl::LoadQuery<'static, PgConnection, T> + 'static,
    {
        query.load(&mut self.conn).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes down what the connection sends from now on.
    pub fn watch(&mut self) -> Watch {
        let watch = Watch::default();
        self.conn.set_instrumentation(watch.instrumentation());
        watch
    }
}
