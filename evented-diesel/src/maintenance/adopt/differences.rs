//! Finds the records whose rows do not match their last events, without locking anything.
//!
//! The digest of a record's last event proves its state, so no history is read. What is found here is a suspicion: other
//! writers may have written between two reads. It is compared again under a lock before anything is recorded.
//!
//! The rows without events come first, then the log with the rows of its records. As in a comparison of a whole table,
//! nothing depends on a common order of the table's keys and the log's.

use std::collections::HashMap;

use diesel::query_builder::QueryFragment;
use evented_core::{Digest, KeyValue};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, table_failed};
use crate::statements::{
    HeadRow, LastEventOf, MatchingRow, RecordRow, Unlogged, key_portions, last_events_after, matching_rows,
    rows_of, rows_without_events,
};
use crate::verify::keys_are_exact;

/// Which rows are compared.
pub trait RowsToCompare<DB: EventedBackend>: Send + Sync {
    /// The filter that the rows match; `None` for all rows and all records.
    fn filter(&self) -> Option<&(dyn QueryFragment<DB> + Sync)>;
}

/// The part of the comparison that comes next.
#[derive(Debug, Clone)]
pub(super) enum Pass {
    /// Nothing has been compared.
    Start,
    /// The rows that a filter matches, after the row with this key.
    Filtered(KeyValue),
    /// The rows without events, after the row with this key.
    WithoutEvents(KeyValue),
    /// The records of the log, after this one in the log's order.
    Log(Option<KeyValue>),
    Done,
}

/// A part of the comparison.
pub(super) struct Compared {
    pub(super) examined: u64,
    /// The keys of records whose rows do not match their last events.
    pub(super) suspects: Vec<KeyValue>,
    /// The part that comes next.
    pub(super) then: Pass,
}

impl Pass {
    /// Compares the next `size` records; `None` at the end.
    pub(super) async fn next<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
        &self,
        executor: &mut D,
        filter: Option<&(dyn QueryFragment<DB> + Sync)>,
        size: i64,
    ) -> Result<Option<Compared>, Error> {
        if matches!(self, Self::Start) {
            keys_are_exact::<DB, M, D>(executor).await?;
        }
        match (self, filter) {
            (Self::Done, _) => Ok(None),
            (Self::Start, Some(filter)) => filtered::<DB, M, D>(executor, filter, None, size).await.map(Some),
            (Self::Filtered(after), Some(filter)) => {
                filtered::<DB, M, D>(executor, filter, Some(after), size).await.map(Some)
            }
            (Self::Start, None) => without_events::<DB, M, D>(executor, None, size).await.map(Some),
            (Self::WithoutEvents(after), _) => {
                without_events::<DB, M, D>(executor, Some(after), size).await.map(Some)
            }
            (Self::Log(after), _) => in_log::<DB, M, D>(executor, after.as_ref(), size).await.map(Some),
            // A filter is set before the first part, and stays.
            (Self::Filtered(_), None) => Ok(None),
        }
    }
}

async fn filtered<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    filter: &(dyn QueryFragment<DB> + Sync),
    after: Option<&KeyValue>,
    size: i64,
) -> Result<Compared, Error> {
    let statement = matching_rows::<DB, M>(filter, (after, Some(size)), None);
    let rows = executor.load::<MatchingRow<M>>(statement).await.map_err(table_failed::<M>)?;
    let examined = rows.len() as u64;
    let last = rows.last().map(|found| M::key_value(&found.row.key()));
    let suspects = rows.into_iter().filter_map(|MatchingRow { head, row }| suspect(head.as_ref(), Some(row)));
    let suspects = suspects.collect();
    let then = match last {
        Some(last) if is_full(examined, size) => Pass::Filtered(last),
        _ => Pass::Done,
    };
    Ok(Compared { examined, suspects, then })
}

async fn without_events<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    after: Option<&KeyValue>,
    size: i64,
) -> Result<Compared, Error> {
    let statement = rows_without_events::<DB, M>(after, size, Unlogged::Many);
    let rows = executor.load::<RecordRow<M>>(statement).await.map_err(table_failed::<M>)?;
    let suspects: Vec<KeyValue> = rows.iter().map(|row| M::key_value(&row.0.key())).collect();
    let examined = suspects.len() as u64;
    let then = match suspects.last() {
        Some(last) if is_full(examined, size) => Pass::WithoutEvents(last.clone()),
        _ => Pass::Log(None),
    };
    Ok(Compared { examined, suspects, then })
}

async fn in_log<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    after: Option<&KeyValue>,
    size: i64,
) -> Result<Compared, Error> {
    let statement = last_events_after(M::whole_log(), after, size);
    let heads = executor.load::<LastEventOf<M>>(statement).await.map_err(table_failed::<M>)?;
    let keys: Vec<KeyValue> = heads.iter().map(|last| last.record.clone()).collect();
    let mut rows = HashMap::with_capacity(keys.len());
    for keys in key_portions::<DB, M>(&keys) {
        let found = executor.load::<RecordRow<M>>(rows_of::<DB, M>(keys)).await.map_err(table_failed::<M>)?;
        rows.extend(found.into_iter().map(|row| (M::key_value(&row.0.key()), row.0)));
    }
    let suspects = heads.iter().filter(|last| {
        let row = rows.remove(&last.record);
        differs(Some(&last.head), row)
    });
    let suspects = suspects.map(|last| last.record.clone()).collect();
    let examined = keys.len() as u64;
    let then = match keys.last() {
        Some(last) if is_full(examined, size) => Pass::Log(Some(last.clone())),
        _ => Pass::Done,
    };
    Ok(Compared { examined, suspects, then })
}

fn suspect<M: Model>(head: Option<&HeadRow>, row: Option<M>) -> Option<KeyValue> {
    let key = row.as_ref().map(|row| M::key_value(&row.key()))?;
    differs(head, row).then_some(key)
}

/// Whether a row may differ from the state after the last event. An event of an older version of the model has a digest of
/// another form, so its record must be replayed.
fn differs<M: Model>(head: Option<&HeadRow>, row: Option<M>) -> bool {
    match (head, row) {
        (None, row) => row.is_some(),
        (Some(head), None) => head.state != Digest::NOTHING,
        (Some(head), Some(mut row)) => {
            row.normalize();
            head.version != M::VERSION || row.state_digest().ok() != Some(head.state)
        }
    }
}

fn is_full(read: u64, size: i64) -> bool {
    u64::try_from(size).is_ok_and(|size| read >= size)
}
