//! Reads the rows of live queries.

use evented_core::KeyValue;
use evented_core::live::{Fill, Plan, Row, Target};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{LiveOn, Model, ModelOn, table_failed};
use crate::read::load;
use crate::statements::{RecordRow, key_portions, live_rows, rows_of};

/// How many rows that a policy hides a read passes over at most.
pub const MOST_HIDDEN: usize = 10_000;

/// The result of reading a query.
#[derive(Debug)]
pub enum LiveFill<M: evented_core::live::LiveModel> {
    /// The rows, in the order of the query.
    Rows(Fill<M>),
    /// There are more rows than a value may have.
    TooManyRows,
    /// More than [`MOST_HIDDEN`] rows were read that the policy hides.
    TooManyHidden,
    /// The model has no table, and so no list.
    NoTable,
}

/// Reads the rows of a query: as many as its window keeps, or all, but not more than `most`.
///
/// A list with a limit reads on behind the rows that its policy hides, from the last row that it read.
///
/// # Errors
///
/// Errors of the database.
pub async fn live_fill<DB: EventedBackend, M: LiveOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    plan: &Plan<M>,
    capacity: Option<usize>,
    most: usize,
) -> Result<LiveFill<M>, Error> {
    if let Target::Keys(keys) = &plan.target {
        let rows = live_records::<DB, M, E>(executor, &keys.list).await?;
        let rows = rows.into_iter().map(Row::new).collect();
        return Ok(LiveFill::Rows(Fill { rows, complete: true }));
    }
    if !M::HAS_TABLE {
        return Ok(LiveFill::NoTable);
    }
    let wanted = capacity.unwrap_or(most.saturating_add(1));
    if plan.limit.is_some_and(|limit| limit > most) {
        return Ok(LiveFill::TooManyRows);
    }
    let (mut rows, mut hidden, mut last): (Vec<Row<M>>, usize, Option<(M, KeyValue)>) = (Vec::new(), 0, None);
    loop {
        // One row more shows whether there are more.
        let limit = i64::try_from(wanted.saturating_add(1)).unwrap_or(i64::MAX);
        let after = plan.after.as_ref().map(|after| (&*after.record, &after.key));
        let behind = last.as_ref().map(|(row, key)| (row, key)).or(after);
        let read = executor.load::<RecordRow<M>>(live_rows(plan, behind, limit)).await;
        let mut read = read.map_err(table_failed::<M>)?;
        let complete = read.len() <= wanted;
        read.truncate(wanted);
        last = read.last().map(|row| (row.0.copy(), M::key_value(&row.0.key())));
        for row in read {
            if plan.may_see(&row.0) {
                rows.push(Row::new(row.0));
            } else {
                hidden += 1;
            }
        }
        if capacity.is_none() && rows.len() > most {
            return Ok(LiveFill::TooManyRows);
        }
        if complete || (capacity.is_some() && rows.len() >= wanted) {
            return Ok(LiveFill::Rows(Fill { rows, complete }));
        }
        if capacity.is_some() && hidden > MOST_HIDDEN {
            return Ok(LiveFill::TooManyHidden);
        }
    }
}

/// Reads the records with these keys, in any order: their rows, or for a model without a table what their logs lead to.
///
/// # Errors
///
/// Errors of the database; a history that cannot be replayed.
pub async fn live_records<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    keys: &[KeyValue],
) -> Result<Vec<M>, Error> {
    let mut records = Vec::with_capacity(keys.len());
    if <M as Model>::HAS_TABLE {
        for portion in key_portions::<DB, M>(keys) {
            let rows =
                executor.load::<RecordRow<M>>(rows_of::<DB, M>(portion)).await.map_err(table_failed::<M>)?;
            records.extend(rows.into_iter().map(|row| row.0));
        }
        return Ok(records);
    }
    for replay in load::replays::<DB, M, E>(executor, keys).await?.into_values() {
        records.extend(replay?.into_state().live());
    }
    Ok(records)
}
