//! Compares a log and its table side by side.

use std::collections::HashMap;

use evented_core::{FieldDigests, KeyValue, Replay, State};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, table_failed};
use crate::statements::{
    RecordRow, ReplayedEventOf, Unlogged, key_portions, page, rows_of, rows_without_events,
};
use crate::verify::exact_keys::keys_are_exact;

/// A comparison of log and table: first the rows without events, then the log with the rows of its records, page by
/// page.
///
/// The log and the table may order keys differently: by another collation, or as text and as numbers. So nothing here
/// depends on a common order. A row is surplus because the log has no event of it, and never because of where a page
/// ends.
#[derive(Debug)]
pub(crate) struct Comparison<M: Model> {
    /// The number of events, and of rows, that one statement reads.
    pub(super) page_size: i64,
    stage: Stage<M>,
}

/// What the comparison reads next.
#[derive(Debug)]
enum Stage<M: Model> {
    /// The rows without events, after the row with this key.
    Rows(Option<KeyValue>),
    /// The log, and the rows of its records. Some events of the last record may not have been read yet.
    Log(Option<OpenRecord<M>>),
    Done,
}

/// A record whose events are being replayed.
#[derive(Debug)]
struct OpenRecord<M: Model> {
    key: KeyValue,
    /// The revision of the last event that was read.
    revision: i64,
    replay: Folded<M>,
}

/// The result of replaying a record's events so far.
#[derive(Debug)]
enum Folded<M: Model> {
    State(Replay<M>),
    /// An event could not be replayed.
    Unreadable,
}

/// A record whose events have all been read.
struct Finished<M: Model> {
    key: KeyValue,
    /// The result of the replay. `None` once it has been compared with the row.
    folded: Option<Folded<M>>,
}

/// A difference between row and log.
#[derive(Debug)]
pub(crate) enum Difference<M> {
    /// The row is missing; contains the log's state.
    Missing(KeyValue, M),
    /// The row differs; contains the log's state and the indices of the differing fields.
    Differs(KeyValue, M, Vec<usize>),
    /// The log has no such live record.
    Surplus(KeyValue),
    /// The events of the record cannot be replayed.
    Unreadable(KeyValue),
}

impl<M> Difference<M> {
    pub(crate) fn key(&self) -> &KeyValue {
        match self {
            Self::Missing(key, _) | Self::Differs(key, ..) | Self::Surplus(key) | Self::Unreadable(key) => {
                key
            }
        }
    }
}

/// The result of one part of the comparison.
#[derive(Debug)]
pub(crate) struct Differences<M> {
    pub(crate) examined: u64,
    pub(crate) found: Vec<Difference<M>>,
}

/// The default number of events that one statement reads.
const EVENTS_PER_PAGE: i64 = 2_000;

impl<M: Model> Comparison<M> {
    pub(crate) fn new() -> Self {
        Self::with_page_size(EVENTS_PER_PAGE)
    }

    /// Creates a comparison that reads `page_size` events per statement.
    pub(crate) fn with_page_size(page_size: i64) -> Self {
        Self { page_size, stage: Stage::Rows(None) }
    }

    /// Compares the next part; `None` at the end.
    pub(crate) async fn next<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
    ) -> Result<Option<Differences<M>>, Error>
    where
        M: ModelOn<DB>,
    {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Rows(after) => self.rows_without_events(executor, after).await.map(Some),
            Stage::Log(open) => self.records(executor, open).await.map(Some),
            Stage::Done => Ok(None),
        }
    }

    /// Finds the next rows that have no event.
    async fn rows_without_events<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        after: Option<KeyValue>,
    ) -> Result<Differences<M>, Error>
    where
        M: ModelOn<DB>,
    {
        if after.is_none() {
            keys_are_exact::<DB, M, E>(executor).await?;
        }
        let statement = rows_without_events::<DB, M>(after.as_ref(), self.page_size, Unlogged::Few);
        let rows = executor.load::<RecordRow<M>>(statement).await.map_err(table_failed::<M>)?;
        let keys: Vec<KeyValue> = rows.iter().map(|row| M::key_value(&row.0.key())).collect();
        let ended = i64::try_from(keys.len()).is_ok_and(|read| read < self.page_size);
        self.stage = if ended { Stage::Log(None) } else { Stage::Rows(keys.last().cloned()) };
        let examined = keys.len() as u64;
        Ok(Differences { examined, found: keys.into_iter().map(Difference::Surplus).collect() })
    }

    /// Compares the records of the next events with their rows.
    async fn records<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        mut open: Option<OpenRecord<M>>,
    ) -> Result<Differences<M>, Error>
    where
        M: ModelOn<DB>,
    {
        let after = open.as_ref().map(|open| (&open.key, open.revision));
        let statement = page(M::whole_log(), i64::MAX, after, self.page_size);
        let events = executor.load::<ReplayedEventOf<M>>(statement).await.map_err(table_failed::<M>)?;
        let ended = i64::try_from(events.len()).is_ok_and(|read| read < self.page_size);
        let mut differences = Differences { examined: events.len() as u64, found: Vec::new() };
        let mut finished = fold(events, &mut open);
        if ended {
            finished.extend(open.take().map(OpenRecord::finish));
        } else {
            self.stage = Stage::Log(open);
        }
        compare_rows(executor, &mut finished, &mut differences).await?;
        for Finished { key, folded } in finished {
            match folded {
                Some(Folded::State(replay)) => {
                    let missing = replay.into_state().live().map(|state| Difference::Missing(key, state));
                    differences.found.extend(missing);
                }
                Some(Folded::Unreadable) => differences.found.push(Difference::Unreadable(key)),
                None => {}
            }
        }
        Ok(differences)
    }
}

/// Replays a page of events. Returns the records that end in it, in order.
fn fold<M: Model>(events: Vec<ReplayedEventOf<M>>, last: &mut Option<OpenRecord<M>>) -> Vec<Finished<M>> {
    let mut finished = Vec::new();
    for ReplayedEventOf { record, event, .. } in events {
        if last.as_ref().is_none_or(|open| open.key != record) {
            finished.extend(last.take().map(OpenRecord::finish));
            let replay = M::key_from(record.clone()).map(Replay::new);
            let replay = replay.map_or(Folded::Unreadable, Folded::State);
            *last = Some(OpenRecord { key: record, revision: 0, replay });
        }
        if let Some(open) = last {
            open.revision = event.data.revision;
            if let Folded::State(replay) = &mut open.replay
                && replay.apply(&event.data).is_err()
            {
                open.replay = Folded::Unreadable;
            }
        }
    }
    finished
}

/// Compares finished records with their rows.
async fn compare_rows<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    finished: &mut [Finished<M>],
    differences: &mut Differences<M>,
) -> Result<(), Error> {
    let keys: Vec<KeyValue> = finished.iter().map(|record| record.key.clone()).collect();
    let index: HashMap<&KeyValue, usize> = keys.iter().enumerate().map(|(at, key)| (key, at)).collect();
    for keys in key_portions::<DB, M>(&keys) {
        let rows = executor.load::<RecordRow<M>>(rows_of::<DB, M>(keys)).await.map_err(table_failed::<M>)?;
        differences.examined += rows.len() as u64;
        for RecordRow(mut row) in rows {
            let key = M::key_value(&row.key());
            // A row with another key than was asked for is not of this page: keys that differ can be equal.
            let Some(record) = index.get(&key).and_then(|at| finished.get_mut(*at)) else { continue };
            let folded = record.folded.take();
            row.normalize();
            differences.found.extend(difference(key, folded, &row));
        }
    }
    Ok(())
}

impl<M: Model> OpenRecord<M> {
    fn finish(self) -> Finished<M> {
        Finished { key: self.key, folded: Some(self.replay) }
    }
}

/// Compares a row with the result of the record's events; `None` if they are equal.
fn difference<M: Model>(key: KeyValue, folded: Option<Folded<M>>, row: &M) -> Option<Difference<M>> {
    let state = match folded {
        Some(Folded::State(replay)) => replay.into_state(),
        Some(Folded::Unreadable) => return Some(Difference::Unreadable(key)),
        None => State::Unknown,
    };
    let State::Live(state) = state else { return Some(Difference::Surplus(key)) };
    let fields = match (state.digests(), row.digests()) {
        (Ok(state), Ok(row)) => FieldDigests::differing(&state, &row),
        // A row without a digest cannot equal the state of any log.
        _ => (0..M::FIELDS.len()).collect(),
    };
    (!fields.is_empty()).then_some(Difference::Differs(key, state, fields))
}
