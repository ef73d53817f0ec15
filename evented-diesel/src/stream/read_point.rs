//! Records the snapshot of a transaction, so that rows read in it and the changes after it connect without gap or
//! overlap.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{Change, Evented};

use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{EventLog, Model};
use crate::sql::{LogName, SqlTypes, Statement, field, optional};
use crate::statements::{LastPositionRow, Number, last_position, positions_from, table_exists};

/// The changes of a model that the snapshot of a transaction contains.
///
/// Subscribe first. Then, in one transaction, run `Item::read_point()` and read the rows you want, with any query. Pass
/// the read point to `Feed::after` of `evented-feed`: the feed skips the changes that the rows contain already. No
/// change is missed in between, and none is delivered twice. On PostgreSQL the transaction must be `REPEATABLE READ` or
/// `SERIALIZABLE`: with other isolation levels each statement uses a snapshot of its own.
///
/// A subscriber that stores the rows and resumes later resumes from `Feed::position`. Before the first change, this is
/// the position that the hub had read up to, which can be before the snapshot of the rows. The subscriber can then
/// receive changes that the rows contain already, unless it keeps the read point as well.
///
/// A read point works for a hub that reads the log and for one that reads the write-ahead log. Take the read point in a
/// read-only transaction. If the transaction has already written: a WAL hub delivers those writes again; on SQLite,
/// rolling back frees the positions it used, and the read point then hides the next changes that reuse them.
pub struct ReadPoint<M> {
    seen: Seen,
    model: PhantomData<fn() -> M>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// Transactions below `before` have ended. Transactions from `next` on had not begun. Of those between, the ones in
    /// `open` had not ended. `events` holds the positions of the visible events of transactions from `before` on.
    Transactions { before: i64, next: i64, open: Vec<i64>, events: HashSet<i64> },
    /// Events up to this position.
    Positions(i64),
}

impl<M> ReadPoint<M> {
    fn new(seen: Seen) -> Self {
        Self { seen, model: PhantomData }
    }
}

impl<M: Evented> ReadPoint<M> {
    /// Returns whether the rows that the transaction read contain a change. `Feed::after` calls this for each change; a
    /// program with a [`LogReader`](super::LogReader) calls it directly.
    #[must_use]
    pub fn has(&self, change: &Change<M>) -> bool {
        match &self.seen {
            Seen::Transactions { before, next, open, events } => {
                let transaction = change.transaction();
                if transaction.commit == 0 {
                    let position = change.position().minor().cast_signed();
                    return transaction.id < *before || events.contains(&position);
                }
                let id = widened(transaction.id, *next);
                id < *before || (id < *next && !open.contains(&id))
            }
            Seen::Positions(last) => change.position().minor().cast_signed() <= *last,
        }
    }
}

impl<M> Clone for ReadPoint<M> {
    fn clone(&self) -> Self {
        Self::new(self.seen.clone())
    }
}

impl<M> fmt::Debug for ReadPoint<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadPoint").field(&self.seen).finish()
    }
}

/// Restores the full id of a transaction of which the write-ahead log contains the lower 32 bits, given an id near it.
fn widened(low: i64, near: i64) -> i64 {
    const ROUND: i64 = 1 << 32;
    let number = near - near.rem_euclid(ROUND) + low;
    match number - near {
        ahead if ahead > ROUND / 2 => number - ROUND,
        ahead if ahead < -ROUND / 2 => number + ROUND,
        _ => number,
    }
}

/// Takes a [`ReadPoint`]: `Item::read_point()`.
///
/// # Errors
///
/// Running it: [`Error::ReadPoint`] outside a transaction, or in a transaction in which each statement uses a snapshot
/// of its own.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct TakeReadPoint<M>(PhantomData<fn() -> M>);

impl<M: Model> TakeReadPoint<M> {
    /// Takes the read point of the current transaction for the model.
    #[doc(hidden)]
    pub fn of_model() -> Self {
        Self(PhantomData)
    }
}

impl<M> sealed::Operation for TakeReadPoint<M> {}

struct SeenRow {
    transactions: Option<(i64, i64, Vec<i64>)>,
    stays: bool,
}

impl<DB: SqlTypes> QueryableByName<DB> for SeenRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let before = optional(row, 0, DB::read_big_int)?;
        let next = optional(row, 1, DB::read_big_int)?;
        let open = optional(row, 2, DB::read_text)?.unwrap_or_default();
        let open = open.split(',').filter(|it| !it.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        let transactions = before.zip(next).map(|(before, next)| (before, next, open));
        Ok(Self { transactions, stays: field(row, 3, DB::read_int)? == 1 })
    }
}

impl<DB: SqlTypes, M: Model> Operation<DB> for TakeReadPoint<M> {
    type Output = ReadPoint<M>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<ReadPoint<M>, Error> {
        let failed = |error| Error::of_log(M::Log::NAME.table, error);
        if !executor.in_transaction().map_err(failed)? {
            return Err(Error::ReadPoint { schema: M::SCHEMA });
        }
        let rows = executor.load::<SeenRow>(Statement::new(DB::TXN_SNAPSHOT_SQL)).await.map_err(failed)?;
        let row = rows.into_iter().next().ok_or_else(|| failed(diesel::NotFound))?;
        if !row.stays {
            return Err(Error::ReadPoint { schema: M::SCHEMA });
        }
        if let Some((before, next, open)) = row.transactions {
            let LogName { schema, table } = M::Log::NAME;
            let logs = executor.load::<Number>(table_exists(schema, table)).await.map_err(failed)?;
            // A table that other programs write may have no log: its changes come from the write-ahead log.
            let events = if logs.first().is_some_and(|number| number.0 == Some(0)) {
                HashSet::new()
            } else {
                let seen =
                    executor.load::<Number>(positions_from(M::Log::NAME, before)).await.map_err(failed)?;
                seen.into_iter().filter_map(|number| number.0).collect()
            };
            return Ok(ReadPoint::new(Seen::Transactions { before, next, open, events }));
        }
        let last = executor.load::<LastPositionRow>(last_position(M::whole_log())).await.map_err(failed)?;
        Ok(ReadPoint::new(Seen::Positions(last.into_iter().next().and_then(|last| last.0).unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use crate::stream::read_point::widened;

    #[test]
    fn a_number_that_was_cut_is_the_one_nearest_to_the_present() {
        let epoch = 1_i64 << 32;
        assert_eq!(widened(700, 710), 700);
        assert_eq!(widened(700, 3 * epoch + 710), 3 * epoch + 700);
        assert_eq!(widened(5, epoch - 3), epoch + 5);
        assert_eq!(widened(epoch - 3, 2 * epoch + 5), 2 * epoch - 3);
    }
}
