//! Recomputes a derived table, and compares it with what its `SELECT` returns.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Operation, SqlTypes, Transaction, sealed};
use serde::Serialize;

use crate::derived_table::Table;
use crate::divide::lock_all;
use crate::operations::lag::lags;
use crate::refresh::{compare, lock_all_rows, rebuild_all};
use crate::register::{RegisterError, registered};
use crate::store::{self, Nothing, SubscriberRow, load, subject, text, write};
use crate::subscriber::Subscriber;

/// Recomputes every row of a projection's table, and writes those that differ, in one transaction. Readers see the old
/// rows or the new ones.
///
/// The workers of the projection wait meanwhile, and so do the writes that compute its rows
/// [inline](crate::Projection::inline). Other writers do not, on PostgreSQL; on SQLite, which has one writer at a
/// time, they do. What they change meanwhile is computed by the workers afterwards.
///
/// # Errors
///
/// Running it: errors of the database. The result is a [`RegisterError`] if the projection cannot be registered.
pub fn rebuild<C>(projection: &Subscriber<C>) -> Rebuild<'_, C> {
    Rebuild(projection)
}

/// Recomputes a derived table. Returned by [`rebuild`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Rebuild<'s, C>(&'s Subscriber<C>);

/// What a rebuild changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rebuilt {
    /// How many rows were written: they were missing, or differed.
    pub written: usize,
    /// How many rows were deleted.
    pub deleted: usize,
}

impl<C> sealed::Operation for Rebuild<'_, C> {}

impl<DB: EventedBackend, C> Operation<DB> for Rebuild<'_, C> {
    type Output = Result<Rebuilt, RegisterError>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Self::Output, Error> {
        let table = match prepared(executor, self.0).await {
            Ok(table) => table,
            Err(RegisterError::Database(error)) => return Err(error),
            Err(error) => return Ok(Err(error)),
        };
        let name = subject(&self.0.name);
        let transaction = Transaction::around(executor, &name, true).await?;
        let done = in_transaction(executor, self.0, table).await;
        transaction.close(executor, &name, done).await.map(Ok).map_err(|error| error.about(name))
    }
}

/// Registers a projection, and returns its table.
async fn prepared<'s, DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    projection: &'s Subscriber<C>,
) -> Result<&'s Table, RegisterError> {
    let table = table_of(projection)?;
    registered(executor, projection).await?;
    Ok(table)
}

fn table_of<C>(projection: &Subscriber<C>) -> Result<&Table, RegisterError> {
    let refused = |fault: String| RegisterError::Projection { subscriber: projection.name.clone(), fault };
    let none = || refused("it is a subscriber with handlers, and keeps no derived table".to_owned());
    let table = projection.table.as_ref().ok_or_else(none)?;
    table.fault().map_or(Ok(table), |fault| Err(refused(fault)))
}

async fn in_transaction<DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    projection: &Subscriber<C>,
    table: &Table,
) -> Result<Rebuilt, Error> {
    // Nobody resizes the projection meanwhile: all of its parts are locked.
    let name = projection.name.as_str();
    write(executor, store::lock_subscriber(name)).await?;
    let rows = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
    let parts = rows.first().map_or(0, |row| row.division.parts);
    // With these locks no worker computes rows from an older snapshot and writes them later.
    lock_all(executor, name, parts).await?;
    if table.inline {
        for lock in lock_all_rows::<DB>(table) {
            load::<Nothing, _, _>(executor, lock).await?;
        }
    }
    let [delete, upsert] = rebuild_all::<DB>(table);
    let deleted = write(executor, delete).await?;
    let written = write(executor, upsert).await?;
    Ok(Rebuilt { written, deleted })
}

/// Compares every row of a projection's table with what its `SELECT` returns. Writes nothing, and registers nothing.
///
/// # Errors
///
/// Running it: errors of the database. The result is a [`RegisterError`] if the projection cannot be used.
pub fn verify<C>(projection: &Subscriber<C>) -> Verify<'_, C> {
    Verify(projection)
}

/// Compares a derived table with its `SELECT`. Returned by [`verify`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Verify<'s, C>(&'s Subscriber<C>);

/// How a derived table differs from what its `SELECT` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Differences {
    /// The rows that differ, at most 1,000.
    pub rows: Vec<Difference>,
    /// How many events the workers have not handled. As long as there are any, rows may differ because of them. `None` if the
    /// projection is not registered.
    pub unhandled: Option<u64>,
}

/// A row of a derived table that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The key of the row, as text.
    pub key: String,
    /// How it differs.
    pub kind: DifferenceKind,
}

/// How a row of a derived table differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// The table has no such row.
    Missing,
    /// The row has other values.
    Differs,
    /// The `SELECT` returns no such row.
    Extra,
}

struct DifferenceRow(Difference);

impl<DB: SqlTypes> QueryableByName<DB> for DifferenceRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let kind = match text(row, 1)?.as_str() {
            "missing" => DifferenceKind::Missing,
            "extra" => DifferenceKind::Extra,
            _ => DifferenceKind::Differs,
        };
        Ok(Self(Difference { key: text(row, 0)?, kind }))
    }
}

impl<C> sealed::Operation for Verify<'_, C> {}

impl<DB: EventedBackend, C> Operation<DB> for Verify<'_, C> {
    type Output = Result<Differences, RegisterError>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Self::Output, Error> {
        let table = match table_of(self.0) {
            Ok(table) => table,
            Err(error) => return Ok(Err(error)),
        };
        // Counted first: an event that comes later can only make a row differ that is counted as a fault then, if the
        // workers handle it before the comparison. They do not make rows differ.
        let lags = lags(executor, &self.0.name, i64::MAX).await?;
        let unhandled = (!lags.is_empty()).then(|| lags.iter().map(|lag| lag.events).sum());
        let rows = load::<DifferenceRow, _, _>(executor, compare(table)).await?;
        Ok(Ok(Differences { rows: rows.into_iter().map(|row| row.0).collect(), unhandled }))
    }
}
