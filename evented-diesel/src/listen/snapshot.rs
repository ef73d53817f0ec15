//! What a transaction sees: so that a reading of a table and the changes after it fit together.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{Change, Evented};

use crate::backend::Dialect;
use crate::error::Error;
use crate::log::{EventLog, LogName};
use crate::model::Model;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{
    LastPosition, Number, Statement, field, last_position, optional, positions_from, table_exists,
};

/// What a transaction sees of a model's changes.
///
/// Subscribe first. Then read in one transaction: `Snapshot::of::<Item>()`, and whatever rows you want, by any query.
/// Give the snapshot to [`Feed::after`](super::Feed::after): the feed passes over the changes that the rows contain
/// already. Nothing is missed in between, and nothing comes twice. On PostgreSQL the transaction must be `REPEATABLE READ`
/// or `SERIALIZABLE`: in others each statement sees something else.
///
/// Who keeps the rows and resumes later does so from [`Feed::position`](super::Feed::position). Before any change has come,
/// that is where the hub was, which may be before what the rows contain: some changes can come that are in them already,
/// unless the snapshot is kept as well.
///
/// It holds for a hub that reads the log and for one that reads the WAL. The transaction should not have written before: of
/// its own writes a hub on the WAL tells again what the rows contain, and on SQLite, where positions are given again, a
/// snapshot of a transaction that is rolled back after it has written hides what is written next.
pub struct Snapshot<M> {
    seen: Seen,
    of: PhantomData<fn() -> M>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// Transactions before the first number have ended, and those from the second on had not begun; of those between, the
    /// first list had not ended. The second list has the events that are seen of transactions from the first number on.
    Transactions { before: i64, next: i64, open: Vec<i64>, events: HashSet<i64> },
    /// Positions up to this one.
    Positions(i64),
}

impl<M> Snapshot<M> {
    fn new(seen: Seen) -> Self {
        Self { seen, of: PhantomData }
    }
}

// For no model in particular: `Snapshot::of::<Item>()` says which.
impl Snapshot<()> {
    /// What the present transaction sees of a model. Run it within one.
    pub fn of<M: Model>() -> TakeSnapshot<M> {
        TakeSnapshot(PhantomData)
    }
}

impl<M: Evented> Snapshot<M> {
    /// Whether a change is in it. [`Feed::after`](super::Feed::after) asks that of each change; who reads with a
    /// [`LogReader`](super::LogReader) does so here.
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

impl<M> Clone for Snapshot<M> {
    fn clone(&self) -> Self {
        Self::new(self.seen.clone())
    }
}

impl<M> fmt::Debug for Snapshot<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Snapshot").field(&self.seen).finish()
    }
}

/// The whole number of a transaction of which the write-ahead log tells 32 bits: it is not far from the present ones.
fn widened(low: i64, near: i64) -> i64 {
    const ROUND: i64 = 1 << 32;
    let number = near - near.rem_euclid(ROUND) + low;
    match number - near {
        ahead if ahead > ROUND / 2 => number - ROUND,
        ahead if ahead < -ROUND / 2 => number + ROUND,
        _ => number,
    }
}

/// Takes a [`Snapshot`]. See [`Snapshot::of`].
///
/// # Errors
///
/// Running it: [`Error::Snapshot`] outside a transaction, or in one in which each statement sees something else.
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct TakeSnapshot<M>(PhantomData<fn() -> M>);

struct SeenRow {
    transactions: Option<(i64, i64, Vec<i64>)>,
    stays: bool,
}

impl<DB: Dialect> QueryableByName<DB> for SeenRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let before = optional(row, 0, DB::read_big_int)?;
        let next = optional(row, 1, DB::read_big_int)?;
        let open = optional(row, 2, DB::read_text)?.unwrap_or_default();
        let open = open.split(',').filter(|it| !it.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        let transactions = before.zip(next).map(|(before, next)| (before, next, open));
        Ok(Self { transactions, stays: field(row, 3, DB::read_int)? == 1 })
    }
}

impl<DB: Dialect, M: Model> Operation<DB> for TakeSnapshot<M> {
    type Output = Snapshot<M>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Snapshot<M>, Error> {
        let of = |error| Error::of_log(M::Log::NAME.table, error);
        if !driver.in_transaction().map_err(of)? {
            return Err(Error::Snapshot { schema: M::SCHEMA });
        }
        let rows = driver.load::<SeenRow>(Statement::new(DB::SEEN)).await.map_err(of)?;
        let row = rows.into_iter().next().ok_or_else(|| of(diesel::NotFound))?;
        if !row.stays {
            return Err(Error::Snapshot { schema: M::SCHEMA });
        }
        if let Some((before, next, open)) = row.transactions {
            let LogName { schema, table } = M::Log::NAME;
            let logs = driver.load::<Number>(table_exists(schema, table)).await.map_err(of)?;
            // A table that others write may have none: its changes come from the write-ahead log.
            let events = if logs.first().is_some_and(|number| number.0 == Some(0)) {
                HashSet::new()
            } else {
                let seen = driver.load::<Number>(positions_from(M::Log::NAME, before)).await.map_err(of)?;
                seen.into_iter().filter_map(|number| number.0).collect()
            };
            return Ok(Snapshot::new(Seen::Transactions { before, next, open, events }));
        }
        let last = driver.load::<LastPosition>(last_position(M::places())).await.map_err(of)?;
        Ok(Snapshot::new(Seen::Positions(last.into_iter().next().and_then(|last| last.0).unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::widened;

    #[test]
    fn a_number_that_was_cut_is_the_one_nearest_to_the_present() {
        let epoch = 1_i64 << 32;
        assert_eq!(widened(700, 710), 700);
        assert_eq!(widened(700, 3 * epoch + 710), 3 * epoch + 700);
        assert_eq!(widened(5, epoch - 3), epoch + 5);
        assert_eq!(widened(epoch - 3, 2 * epoch + 5), 2 * epoch - 3);
    }
}
