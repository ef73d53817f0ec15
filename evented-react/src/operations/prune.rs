//! Removes old domain events that every subscriber has handled.

use std::marker::PhantomData;
use std::time::Duration;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::LogOffset;
use evented_diesel::spi::{
    Database, EventedBackend, Executor, Operation, SqlTypes, Statement, Transaction, sealed,
};
use evented_diesel::{Bus, Error};
use serde::Serialize;

use crate::store::{failed, load, number, subject, text, write};

/// Removes the events of a bus that are older than this, and that every subscriber has handled. What is set aside stays, with
/// everything behind the slowest subscriber.
///
/// It removes 1,000 events in a transaction, so no writer waits long. Within a transaction of the caller's it is one.
pub fn prune<B: Bus>(older_than: Duration) -> Prune<B> {
    Prune { older_than, bus: PhantomData }
}

/// Removes old domain events. Returned by [`prune`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Prune<B> {
    older_than: Duration,
    bus: PhantomData<fn() -> B>,
}

/// What a [`prune`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pruned {
    /// How many events were removed.
    pub removed: usize,
    /// The slowest subscriber, if it has not handled all events of this age.
    pub held_by: Option<String>,
}

/// How many events are removed at once.
const CHUNK: i64 = 1_000;

impl<B> sealed::Operation for Prune<B> {}

impl<DB: EventedBackend, B: Bus> Operation<DB> for Prune<B> {
    type Output = Pruned;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Pruned, Error> {
        of_table(executor, B::TABLE, self.older_than).await
    }
}

async fn of_table<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
    older_than: Duration,
) -> Result<Pruned, Error> {
    let age = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX / 2);
    let name = subject("");
    let mut removed = 0;
    loop {
        let transaction = Transaction::around(executor, &name, true).await?;
        let done = chunk(executor, bus, age).await;
        let (count, slowest) = transaction.close(executor, &name, done).await?;
        removed += count;
        if count < usize::try_from(CHUNK).unwrap_or(usize::MAX) {
            return Ok(Pruned { removed, held_by: held_by(executor, bus, age, slowest).await? });
        }
    }
}

/// The cursor of the slowest subscriber of a bus.
struct Slowest {
    subscriber: String,
    offset: LogOffset,
}

impl<DB: SqlTypes> QueryableByName<DB> for Slowest {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let offset = LogOffset { txid: number(row, 1)?, position: number(row, 2)? };
        Ok(Self { subscriber: text(row, 0)?, offset })
    }
}

/// Removes some events, and returns how many, with the slowest subscriber.
async fn chunk<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
    age: i64,
) -> Result<(usize, Option<Slowest>), Error> {
    // Nobody registers meanwhile. On SQLite this takes the write lock, before anything is read.
    executor.batch(lock_sql::<DB>()).await.map_err(failed)?;
    let mut statement =
        Statement::new("SELECT c.subscriber, c.txid, c.position FROM evented_cursors c WHERE c.stream = ");
    statement.value(bus).sql(" ORDER BY c.txid, c.position LIMIT 1");
    let slowest = load::<Slowest, _, _>(executor, statement).await?.into_iter().next();
    let mut statement = Statement::new("DELETE FROM ");
    statement
        .identifier(bus)
        .sql(" WHERE (txid, position) IN (SELECT e.txid, e.position FROM ")
        .identifier(bus);
    statement.sql(" e WHERE ");
    push_is_older(&mut statement, age);
    if let Some(slowest) = &slowest {
        statement.sql(" AND (e.txid, e.position) <= (").value(slowest.offset.txid).sql(", ");
        statement.value(slowest.offset.position).sql(")");
    }
    // The event at a cursor shows that the bus is the one which the subscriber has read.
    statement.sql(" AND NOT EXISTS (SELECT 1 FROM evented_cursors c WHERE c.stream = ").value(bus);
    statement.sql(" AND c.txid = e.txid AND c.position = e.position)");
    statement.sql(" AND NOT EXISTS (SELECT 1 FROM evented_deferred d WHERE d.stream = ").value(bus);
    statement.sql(" AND d.txid = e.txid AND d.position = e.position)");
    statement.sql(" ORDER BY e.txid, e.position LIMIT ").value(CHUNK).sql(")");
    Ok((write(executor, statement).await?, slowest))
}

/// The SQL that locks the table of subscribers against new ones.
fn lock_sql<DB: SqlTypes>() -> &'static str {
    match DB::DATABASE {
        Database::Postgres => "LOCK TABLE evented_subscribers IN SHARE MODE",
        Database::Sqlite => "UPDATE evented_subscribers SET version = version WHERE 0",
    }
}

/// Adds the condition that an event is older than so many milliseconds, by the clock of the database.
fn push_is_older<DB: SqlTypes>(statement: &mut Statement<'_, DB>, age: i64) {
    match DB::DATABASE {
        Database::Postgres => {
            statement.sql("e.at < clock_timestamp() - ").value(age).sql(" * interval '1 millisecond'");
        }
        Database::Sqlite => {
            statement.sql("julianday(e.at) < julianday('now') - ").value(age).sql(" / 86400000.0");
        }
    }
}

/// Returns the slowest subscriber, if there is an event of this age behind its cursor.
async fn held_by<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
    age: i64,
    slowest: Option<Slowest>,
) -> Result<Option<String>, Error> {
    let Some(slowest) = slowest else { return Ok(None) };
    let mut statement = Statement::new("SELECT ");
    statement
        .value(slowest.subscriber.as_str())
        .sql(", e.txid, e.position FROM ")
        .identifier(bus)
        .sql(" e WHERE ");
    push_is_older(&mut statement, age);
    statement.sql(" AND (e.txid, e.position) > (").value(slowest.offset.txid).sql(", ");
    statement.value(slowest.offset.position).sql(") ORDER BY e.txid, e.position LIMIT 1");
    let held = load::<Slowest, _, _>(executor, statement).await?;
    Ok(held.into_iter().next().map(|row| row.subscriber))
}
