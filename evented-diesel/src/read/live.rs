//! Reads the rows of live queries.

use std::collections::HashMap;

use evented_core::KeyValue;
use evented_core::live::{Fill, Plan, Row, Target};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{LiveOn, Model, ModelOn, table_failed};
use crate::read::load;
use crate::statements::{RecordRow, key_portions, live_children, live_rows, rows_of};

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

/// Reads the children of several parents in one statement: queries of one branch of a tree, which differ in their parent alone.
/// Returns the rows of each query in the order of the queries; `None` for one that has to be read alone, because the policy
/// hides rows of its window.
///
/// # Errors
///
/// Errors of the database.
pub async fn live_siblings<DB: EventedBackend, M: LiveOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    plans: &[&Plan<M>],
    capacity: Option<usize>,
    most: usize,
) -> Result<Vec<Option<Fill<M>>>, Error> {
    let mut fills = Vec::with_capacity(plans.len());
    for plans in plans.chunks(MOST_SIBLINGS) {
        let parents: Vec<_> = plans.iter().filter_map(|plan| plan.parent.as_ref()).collect();
        let (Some(plan), Some(parent)) = (plans.first(), parents.first()) else { continue };
        let siblings = Plan::siblings(&parents);
        let of_each = capacity.map(|capacity| to_i64(capacity.saturating_add(1)));
        // A list that is too long is found when it is read alone.
        let limit = of_each
            .map_or(to_i64(most.saturating_add(1)), |of_each| of_each.saturating_mul(to_i64(plans.len())));
        let statement = live_children(plan, &siblings, parent.field.column, of_each, limit);
        let rows = executor.load::<RecordRow<M>>(statement).await.map_err(table_failed::<M>)?;
        let is_too_long = capacity.is_none() && rows.len() > most;
        let mut by_parent: HashMap<Vec<u8>, Vec<M>> = HashMap::new();
        for RecordRow(row) in rows {
            let key = parent.field.encoded(&row).unwrap_or_default();
            by_parent.entry(key).or_default().push(row);
        }
        fills.extend(plans.iter().map(|plan| {
            let key = plan.parent.as_ref().and_then(|parent| parent.key.encoded.as_deref());
            let mut rows = by_parent.remove(key.unwrap_or_default()).unwrap_or_default();
            let complete = capacity.is_none_or(|capacity| rows.len() <= capacity);
            rows.truncate(capacity.unwrap_or(usize::MAX));
            let seen: Vec<_> = rows.iter().map(|row| plan.may_see(row)).collect();
            let hides = !complete && seen.contains(&false);
            let rows = rows.into_iter().zip(seen).filter(|(_, seen)| *seen).map(|(row, _)| Row::new(row));
            (!is_too_long && !hides).then(|| Fill { rows: rows.collect(), complete })
        }));
    }
    Ok(fills)
}

/// How many parents are in one statement at most.
const MOST_SIBLINGS: usize = 512;

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
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
