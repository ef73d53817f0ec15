//! A separate database for a test, with tables, a publication and a slot.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::pg::Pg;
use diesel::{Connection, PgConnection, RunQueryDsl};
use evented_diesel::{Error, Operation, Run};
use evented_tests::db::postgres_url;
use evented_wal::{Config, Lsn, Message, Slot, Tail};

/// The publication of every test.
pub(crate) const PUBLICATION: &str = "Published, \"here\"";
const QUOTED: &str = r#""Published, ""here""""#;

#[derive(diesel::QueryableByName)]
pub(crate) struct Text {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    pub(crate) text: Option<String>,
}

/// A database, which is removed with its slots on drop.
pub(crate) struct Stage {
    /// The name of the database and of the slot.
    pub(crate) name: String,
    /// The URL of the database.
    pub(crate) url: String,
    server: String,
    conn: PgConnection,
}

impl Stage {
    /// Creates a database with the objects that `sql` creates, and publishes all of its tables.
    pub(crate) fn new(sql: &str) -> Self {
        Self::on(&postgres_url(), sql)
    }

    /// Does the same on a given server.
    pub(crate) fn on(server: &str, sql: &str) -> Self {
        let mut stage = Self::bare(server, sql);
        let tables = stage.texts(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS text FROM pg_tables \
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
        );
        stage.sql(&format!("CREATE PUBLICATION {QUOTED} FOR TABLE {}", tables.join(", ")));
        let slot = format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')", stage.name);
        stage.sql(&slot);
        stage
    }

    /// Creates a database without publication and slot.
    pub(crate) fn bare(server: &str, sql: &str) -> Self {
        let name = format!("wal_{}", uuid::Uuid::now_v7().simple());
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}");
        let mut admin = PgConnection::establish(server).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let conn = PgConnection::establish(&url).unwrap();
        let mut stage = Self { name, url, server: server.to_owned(), conn };
        stage.sql(sql);
        stage
    }

    /// Runs plain SQL. Several statements are one transaction.
    pub(crate) fn sql(&mut self, sql: &str) {
        self.conn.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs an operation.
    pub(crate) fn run<Op: Operation<Pg>>(&mut self, operation: Op) -> Result<Op::Output, Error> {
        operation.run(&mut self.conn)
    }

    /// Returns the connection.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }

    /// Opens a further connection.
    pub(crate) fn connect(&self) -> PgConnection {
        PgConnection::establish(&self.url).unwrap()
    }

    /// Reconnects after the server was restarted.
    pub(crate) fn reconnect(&mut self) {
        self.conn = self.connect();
    }

    /// Runs a query, and returns the values of its column `text`.
    pub(crate) fn texts(&mut self, query: &str) -> Vec<String> {
        let rows: Vec<Text> =
            diesel::sql_query(query).load(&mut self.conn).unwrap_or_else(|error| panic!("{query}: {error}"));
        rows.into_iter().map(|row| row.text.unwrap_or_default()).collect()
    }

    /// Evaluates an expression, and returns its value as text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.texts(&format!("SELECT ({expression})::text AS text")).pop().unwrap()
    }

    /// Returns the end of the server's log.
    pub(crate) fn position(&mut self) -> Lsn {
        self.text("pg_current_wal_insert_lsn()").parse().unwrap()
    }

    /// Returns the configuration of a tail on this database.
    pub(crate) fn config(&self) -> Config {
        Config::from_url(&self.url, Slot::durable(&self.name), PUBLICATION).unwrap()
    }

    pub(crate) async fn tail(&self) -> Tail {
        Tail::open(self.config()).await.unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A test's own server may already be gone.
        let Ok(mut admin) = PgConnection::establish(&self.server) else { return };
        let terminate = format!(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots \
             WHERE database = '{}' AND active",
            self.name
        );
        // A reader may reconnect before it stops; the slots are removed with their database.
        for _ in 0..100 {
            let _ = admin.batch_execute(&terminate);
            if admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        eprintln!("the database {} is left behind", self.name);
    }
}

/// A complete transaction.
#[derive(Debug, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) commit: Lsn,
    pub(crate) end: Lsn,
    /// All messages between begin and commit.
    pub(crate) messages: Vec<Message>,
}

/// Reads the next transaction, as a consumer would assemble it.
pub(crate) async fn transaction(tail: &mut Tail) -> Transaction {
    let mut messages = None;
    loop {
        match next(tail).await {
            Message::Begin { .. } => {
                assert!(messages.is_none(), "a transaction within another");
                messages = Some(Vec::new());
            }
            Message::Commit { commit, end } => {
                let messages = messages.expect("an end without a begin");
                return Transaction { commit, end, messages };
            }
            Message::Restarted => messages = None,
            Message::Idle { .. } => assert!(messages.is_none(), "silence within a transaction"),
            message => messages.as_mut().expect("a change without a transaction").push(message),
        }
    }
}

/// Returns the next message. The test fails if none arrives in time.
pub(crate) async fn next(tail: &mut Tail) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(60), tail.next());
    next.await.expect("a message within a minute").unwrap()
}

/// Formats messages as lines, for comparison.
pub(crate) fn lines(messages: &[Message]) -> Vec<String> {
    messages.iter().map(line).collect()
}

fn line(message: &Message) -> String {
    use evented_wal::{Old, Seen};
    let old = |old: &Old, relation| match old {
        Old::Full(tuple) => format!("({})", tuple.show(relation)),
        Old::Key(tuple) => format!("key ({})", tuple.show(relation)),
    };
    match message {
        Message::Relation { relation, seen: Seen::First } => format!("first {relation}"),
        Message::Relation { relation, seen: Seen::Changed { .. } } => format!("changed {relation}"),
        Message::Insert { relation, new } => format!("insert {relation} ({})", new.show(relation)),
        Message::Update { relation, old: None, new } => format!("update {relation} ({})", new.show(relation)),
        Message::Update { relation, old: Some(before), new } => {
            format!("update {relation} {} ({})", old(before, relation), new.show(relation))
        }
        Message::Delete { relation, old: before } => format!("delete {relation} {}", old(before, relation)),
        Message::Truncate { relations, cascade, restart_identity } => {
            let relations: Vec<_> = relations.iter().map(ToString::to_string).collect();
            format!("truncate {} {cascade} {restart_identity}", relations.join(", "))
        }
        other => format!("{other:?}"),
    }
}
