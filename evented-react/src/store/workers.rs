//! Statements about `evented_workers`: which workers live, and what they serve.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::spi::{SqlTypes, Statement};
use uuid::Uuid;

use crate::store::{now_sql, number, text};

/// A worker that serves a subscriber.
#[derive(Debug, Clone)]
pub(crate) struct LiveRow {
    pub(crate) host: String,
    pub(crate) pid: i64,
    /// The milliseconds since it was seen.
    pub(crate) unseen: i64,
}

impl<DB: SqlTypes> QueryableByName<DB> for LiveRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self { host: text(row, 0)?, pid: number(row, 1)?, unseen: number(row, 2)? })
    }
}

/// Reads the workers that serve this version of a subscriber and were seen within these milliseconds.
pub(crate) fn live_workers<'q, DB: SqlTypes>(
    subscriber: &'q str,
    version: i32,
    within: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT w.host, w.pid, ");
    statement.sql(now_sql::<DB>()).sql(" - w.seen_at FROM evented_workers w WHERE w.subscriber = ");
    statement
        .value(subscriber)
        .sql(" AND w.version = ")
        .value(version)
        .sql(" AND w.seen_at > ")
        .sql(now_sql::<DB>())
        .sql(" - ")
        .value(within);
    statement.sql(" ORDER BY w.worker");
    statement
}

/// Stores that a worker lives and serves a subscriber.
pub(crate) fn insert_worker<'q, DB: SqlTypes>(
    worker: Uuid,
    subscriber: &'q str,
    version: i32,
    host: &'q str,
    pid: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "INSERT INTO evented_workers (worker, subscriber, version, host, pid, started_at, seen_at) VALUES (",
    );
    statement.value(worker).sql(", ").value(subscriber).sql(", ").value(version).sql(", ").value(host);
    statement.sql(", ").value(pid).sql(", ").sql(now_sql::<DB>()).sql(", ").sql(now_sql::<DB>());
    statement.sql(") ON CONFLICT (worker, subscriber) DO UPDATE SET seen_at = excluded.seen_at");
    statement
}

/// Removes a worker that stops.
pub(crate) fn remove_worker<'q, DB: SqlTypes>(worker: Uuid) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM evented_workers WHERE worker = ");
    statement.value(worker);
    statement
}

/// Removes workers that have not been seen for these milliseconds.
pub(crate) fn sweep<'q, DB: SqlTypes>(unseen: i64) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM evented_workers WHERE seen_at < ");
    statement.sql(now_sql::<DB>()).sql(" - ").value(unseen);
    statement
}
