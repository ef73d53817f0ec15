//! Compares a log and its table side by side.

use std::collections::HashMap;

use evented_core::{FieldDigests, KeyValue, Replay, State};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, table_failed};
use crate::statements::{RecordRow, ReplayedEvent, page, rows_between};

/// A comparison of log and table, in the order of the keys.
#[derive(Debug)]
pub(crate) struct Comparison<M: Model> {
    /// The number of events, and of rows, that one statement reads.
    pub(super) page_size: i64,
    /// The record whose events have been read so far. Some of its events may not have been read yet.
    open: Option<OpenRecord<M>>,
    /// The key of the last row that was compared.
    rows_after: Option<KeyValue>,
    done: bool,
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
        Self { page_size, open: None, rows_after: None, done: false }
    }

    /// Compares the next part; `None` at the end.
    pub(crate) async fn next<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
    ) -> Result<Option<Differences<M>>, Error>
    where
        M: ModelOn<DB>,
    {
        if self.done {
            return Ok(None);
        }
        let after = self.open.as_ref().map(|open| (&open.key, open.revision));
        let statement = page(M::whole_log(), i64::MAX, after, self.page_size);
        let events = executor.load::<ReplayedEvent<M>>(statement).await.map_err(table_failed::<M>)?;
        self.done = i64::try_from(events.len()).is_ok_and(|read| read < self.page_size);
        let mut differences = Differences { examined: events.len() as u64, found: Vec::new() };
        let mut finished = self.fold(events);
        if self.done || !finished.is_empty() {
            self.compare_rows(executor, &mut finished, &mut differences).await?;
        }
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
        Ok(Some(differences))
    }

    /// Replays a page of events. Returns the records that end in it, in order.
    fn fold(&mut self, events: Vec<ReplayedEvent<M>>) -> Vec<Finished<M>> {
        let mut finished = Vec::new();
        for ReplayedEvent { record, event, .. } in events {
            if self.open.as_ref().is_none_or(|open| open.key != record) {
                finished.extend(self.open.take().map(OpenRecord::finish));
                let replay = M::key_from(record.clone()).map(Replay::new);
                let replay = replay.map_or(Folded::Unreadable, Folded::State);
                self.open = Some(OpenRecord { key: record, revision: 0, replay });
            }
            if let Some(open) = &mut self.open {
                open.revision = event.revision;
                if let Folded::State(replay) = &mut open.replay
                    && replay.apply(&event).is_err()
                {
                    open.replay = Folded::Unreadable;
                }
            }
        }
        if self.done {
            finished.extend(self.open.take().map(OpenRecord::finish));
        }
        finished
    }

    /// Compares the rows up to the last finished record; at the end of the log, all remaining rows.
    async fn compare_rows<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        finished: &mut [Finished<M>],
        differences: &mut Differences<M>,
    ) -> Result<(), Error>
    where
        M: ModelOn<DB>,
    {
        let to = if self.done { None } else { finished.last().map(|record| record.key.clone()) };
        let mut index: HashMap<KeyValue, usize> = HashMap::new();
        loop {
            let statement = rows_between::<DB, M>(self.rows_after.as_ref(), to.as_ref(), self.page_size);
            let rows = executor.load::<RecordRow<M>>(statement).await.map_err(table_failed::<M>)?;
            let ended = i64::try_from(rows.len()).is_ok_and(|read| read < self.page_size);
            differences.examined += rows.len() as u64;
            if index.is_empty() && !rows.is_empty() {
                index = finished.iter().enumerate().map(|(at, record)| (record.key.clone(), at)).collect();
            }
            for RecordRow(mut row) in rows {
                let key = M::key_value(row.key());
                self.rows_after = Some(key.clone());
                let record = index.get(&key).and_then(|at| finished.get_mut(*at));
                let folded = record.and_then(|record| record.folded.take());
                row.normalize();
                differences.found.extend(difference(key, folded, &row));
            }
            if ended {
                break;
            }
        }
        self.rows_after = to.or(self.rows_after.take());
        Ok(())
    }
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
