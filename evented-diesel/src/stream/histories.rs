//! Loads the histories of records whose state before an event is not known.

use evented_core::{ExactKind, KeyValue};

use crate::error::Error;
use crate::exec::Executor;
use crate::sql::{LogName, SqlTypes, Statement};
use crate::statements::{
    BigIntKeys, HistoryEvent, HistoryRow, IntKeys, TextKeys, UuidKeys, histories, history_slice,
};
use crate::stream::consumer::PageConsumer;
use crate::stream::log_pages::is_unreadable;
use crate::stream::source_log::SourceLog;

/// The number of events that one statement reads. This bounds the memory that histories take.
const SLICE: i64 = 4_000;

/// Histories to load from one table: several records, each up to a revision.
#[derive(Debug)]
pub struct WantedHistories {
    pub(crate) table: LogName,
    pub(crate) records: Vec<(KeyValue, i64)>,
}

/// How much of a long history is loaded without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongHistories {
    /// All of it.
    Whole,
    /// One slice. A hub reads its other logs before it continues.
    Sliced,
}

/// What a consumer did with a part of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadedHistory {
    /// It has the history as far as it can be replayed.
    Complete,
    /// It waits for the next part.
    Partial,
    /// The history starts with a savepoint that cannot be used. The consumer needs it from its first event on.
    UnusableSavepoint,
}

/// Loads histories, each from its last savepoint on, or from the first event if the consumer cannot use the savepoint.
/// Returns `false` if a long history is not complete yet.
pub(crate) async fn load_histories<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    consumer: &mut dyn PageConsumer,
    wanted: Vec<WantedHistories>,
    long: LongHistories,
) -> Result<bool, Error> {
    let schema = log.shared.then_some(consumer.schema());
    for WantedHistories { table, records } in wanted {
        let histories = Histories { log, table, schema };
        if records.len() > 1 && histories.load_together(executor, consumer, &records).await? {
            continue;
        }
        for (record, to) in &records {
            if !histories.load_one(executor, consumer, record, *to, long).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The histories of one table.
struct Histories<'l> {
    log: &'l SourceLog,
    table: LogName,
    schema: Option<&'l str>,
}

impl Histories<'_> {
    /// Loads the histories of several records with one statement. Returns `false` if that is not possible: they have too
    /// many events, or a row cannot be read. Each is then loaded by a statement of its own, so that an unreadable row
    /// affects only its own record.
    async fn load_together<DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        consumer: &mut dyn PageConsumer,
        records: &[(KeyValue, i64)],
    ) -> Result<bool, Error> {
        let loaded = match self.run(executor, histories(self.table, self.schema, records, SLICE)).await {
            Err(error) if is_unreadable(&error) => return Ok(false),
            other => other?,
        };
        if is_full(&loaded) {
            return Ok(false);
        }
        let mut by_record: Vec<(KeyValue, Vec<HistoryEvent>)> = Vec::new();
        for (record, event) in loaded {
            match by_record.last_mut() {
                Some((last, events)) if *last == record => events.push(event),
                _ => by_record.push((record, vec![event])),
            }
        }
        for (record, history) in by_record {
            if consumer.load_history(&record, &history, false) == LoadedHistory::UnusableSavepoint {
                let to = history.last().map_or(0, |event| event.data.revision);
                self.load_one(executor, consumer, &record, to, LongHistories::Whole).await?;
            }
        }
        Ok(true)
    }

    /// Loads the history of a record in slices, from where the consumer has it. Returns `false` if it is not complete
    /// yet.
    async fn load_one<DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        consumer: &mut dyn PageConsumer,
        record: &KeyValue,
        to: i64,
        long: LongHistories,
    ) -> Result<bool, Error> {
        // `None` is the last savepoint.
        let mut from = match consumer.loading(record) {
            0 => None,
            revision => Some(revision + 1),
        };
        loop {
            let (slice, more) = match self.slice(executor, record, from, to).await {
                // The history is known up to here. The event that needs it is reported.
                Err(error) if is_unreadable(&error) => (Vec::new(), false),
                other => {
                    let slice = other?;
                    let more = is_full(&slice);
                    (slice, more)
                }
            };
            match consumer.load_history(record, &slice, more) {
                LoadedHistory::Complete => return Ok(true),
                LoadedHistory::Partial if long == LongHistories::Sliced => return Ok(false),
                LoadedHistory::Partial => from = Some(consumer.loading(record) + 1),
                LoadedHistory::UnusableSavepoint if from.is_none() => from = Some(1),
                LoadedHistory::UnusableSavepoint => {
                    consumer.load_history(record, &[], false);
                    return Ok(true);
                }
            }
        }
    }

    /// Reads the next events of a record: from a revision on, or from the last savepoint.
    async fn slice<DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        record: &KeyValue,
        from: Option<i64>,
        to: i64,
    ) -> Result<Vec<HistoryEvent>, Error> {
        let wanted = [(record.clone(), to)];
        let statement = match from {
            Some(from) => history_slice(self.table, self.schema, record, from..=to, SLICE),
            None => histories(self.table, self.schema, &wanted, SLICE),
        };
        let rows = self.run(executor, statement).await?;
        Ok(rows.into_iter().map(|(_, event)| event).collect())
    }

    async fn run<DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        statement: Statement<'_, DB>,
    ) -> Result<Vec<(KeyValue, HistoryEvent)>, Error> {
        let loaded = match self.log.keys.exact() {
            ExactKind::Uuid => executor.load::<HistoryRow<UuidKeys>>(statement).await.map(pairs),
            ExactKind::Text => executor.load::<HistoryRow<TextKeys>>(statement).await.map(pairs),
            ExactKind::Int => executor.load::<HistoryRow<IntKeys>>(statement).await.map(pairs),
            ExactKind::BigInt => executor.load::<HistoryRow<BigIntKeys>>(statement).await.map(pairs),
        };
        loaded.map_err(|error| Error::of_log(self.log.name.table, error))
    }
}

fn is_full<T>(rows: &[T]) -> bool {
    i64::try_from(rows.len()).unwrap_or(i64::MAX) >= SLICE
}

fn pairs<K>(rows: Vec<HistoryRow<K>>) -> Vec<(KeyValue, HistoryEvent)> {
    rows.into_iter().map(|row| (row.record, row.event)).collect()
}
