//! Reads how far a subscriber is behind its logs.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::Error;
use evented_diesel::spi::{
    Database, EventedBackend, Executor, Operation, SqlTypes, Statement, optional, sealed,
};
use serde::Serialize;

use crate::store::{self, CursorRow, load, now_sql, number};

/// How far a subscriber is behind one of its logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lag {
    /// The name of the log.
    pub log: String,
    /// How many events the log has after those that every part of the subscriber has handled.
    pub events: u64,
    /// How old the oldest of them is, in milliseconds; 0 if there is none.
    pub oldest_ms: u64,
}

/// Reads how far a subscriber is behind each of its logs, by the name of the log. Empty if it is not registered.
pub fn lag(subscriber: impl Into<String>) -> LagOf {
    LagOf { subscriber: subscriber.into() }
}

/// Reads how far a subscriber is behind. Returned by [`lag`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct LagOf {
    subscriber: String,
}

impl sealed::Operation for LagOf {}

impl<DB: EventedBackend> Operation<DB> for LagOf {
    type Output = Vec<Lag>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Vec<Lag>, Error> {
        lags(executor, &self.subscriber, i64::MAX).await
    }
}

/// Reads how far a subscriber is behind each of its logs. It counts at most this many events of a log.
pub(crate) async fn lags<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &str,
    most: i64,
) -> Result<Vec<Lag>, Error> {
    let mut cursors = load::<CursorRow, _, _>(executor, store::cursors_of(subscriber, None)).await?;
    cursors.sort_by(|one, other| one.stream.cmp(&other.stream).then(one.offset.cmp(&other.offset)));
    cursors.dedup_by(|one, other| one.stream == other.stream);
    let mut lags = Vec::new();
    for slowest in cursors {
        let rows = load::<LagRow, _, _>(executor, behind(&slowest, most)).await?;
        let row = rows.into_iter().next().unwrap_or(LagRow { events: 0, oldest: None });
        lags.push(Lag {
            log: slowest.stream,
            events: row.events.max(0).unsigned_abs(),
            oldest_ms: row.oldest.unwrap_or(0).max(0).unsigned_abs(),
        });
    }
    Ok(lags)
}

struct LagRow {
    events: i64,
    oldest: Option<i64>,
}

impl<DB: SqlTypes> QueryableByName<DB> for LagRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self { events: number(row, 0)?, oldest: optional(row, 1, DB::read_big_int)? })
    }
}

/// Counts the events of a log after a cursor, at most this many.
fn behind<DB: SqlTypes>(cursor: &CursorRow, most: i64) -> Statement<'_, DB> {
    let mut statement = Statement::new("SELECT count(*), ");
    statement.sql(now_sql::<DB>()).sql(match DB::DATABASE {
        Database::Postgres => " - CAST(extract(epoch FROM min(b.at)) * 1000 AS BIGINT)",
        Database::Sqlite => " - CAST((julianday(min(b.at)) - 2440587.5) * 86400000.0 AS INTEGER)",
    });
    statement.sql(" FROM (SELECT e.at FROM ");
    cursor.push_log(&mut statement);
    statement.sql(" e WHERE ");
    if DB::NUMBERS_TRANSACTIONS {
        statement.sql("(e.txid, e.position) > (").value(cursor.offset.txid);
        statement.sql(", ").value(cursor.offset.position).sql(")");
    } else {
        statement.sql("e.position > ").value(cursor.offset.position);
    }
    if most < i64::MAX {
        let by_transaction = if DB::NUMBERS_TRANSACTIONS { "e.txid, " } else { "" };
        statement.sql(" ORDER BY ").sql(by_transaction).sql("e.position LIMIT ").value(most);
    }
    statement.sql(") b");
    statement
}
