//! Loads the histories of records whose state before an event is not known.

use evented_core::{ExactKind, KeyValue};

use crate::error::Error;
use crate::exec::Executor;
use crate::sql::{LogName, SqlTypes, Statement};
use crate::statements::{
    BigIntKeys, HistoryEvent, HistoryRow, IntKeys, Number, TextKeys, UuidKeys, histories, history_slice,
    last_savepoint,
};
use crate::stream::consumer::PageConsumer;
use crate::stream::log_pages::is_unreadable;
use crate::stream::source_log::SourceLog;

/// The last revision up to which a history is loaded with others, by one statement.
pub(crate) const LONG: i64 = 1_000;

/// The number of events of a long history that one statement reads. This bounds the memory that a long history takes.
const SLICE: i64 = 4_000;

/// Histories to load from one table with one statement: several records, each up to a revision. A history that goes
/// beyond [`LONG`] stands alone.
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
        if let [(record, to)] = records.as_slice()
            && *to > LONG
        {
            let history = LongHistory { log, table, schema, record, to: *to };
            if !history.load(executor, consumer, long).await? {
                return Ok(false);
            }
            continue;
        }
        for (record, history) in read(executor, log, table, schema, &records, true).await? {
            if consumer.load_history(&record, &history, false) != LoadedHistory::UnusableSavepoint {
                continue;
            }
            let whole = [(record, history.last().map_or(0, |event| event.data.revision))];
            for (record, history) in read(executor, log, table, schema, &whole, false).await? {
                consumer.load_history(&record, &history, false);
            }
        }
    }
    Ok(true)
}

/// A history that is loaded in slices.
struct LongHistory<'h> {
    log: &'h SourceLog,
    table: LogName,
    schema: Option<&'h str>,
    record: &'h KeyValue,
    to: i64,
}

impl LongHistory<'_> {
    /// Loads the history from where the consumer has it. Returns `false` if it is not complete yet.
    async fn load<DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        consumer: &mut dyn PageConsumer,
        long: LongHistories,
    ) -> Result<bool, Error> {
        let mut from = match consumer.loading(self.record) {
            0 => self.last_savepoint(executor).await?,
            revision => revision + 1,
        };
        loop {
            let (slice, more) = match self.slice(executor, from).await {
                // The history is known up to here. The event that needs it is reported.
                Err(error) if is_unreadable(&error) => (Vec::new(), false),
                other => {
                    let slice = other?;
                    let more = i64::try_from(slice.len()).unwrap_or(i64::MAX) >= SLICE;
                    (slice, more)
                }
            };
            match consumer.load_history(self.record, &slice, more) {
                LoadedHistory::Complete => return Ok(true),
                LoadedHistory::Partial if long == LongHistories::Sliced => return Ok(false),
                LoadedHistory::Partial => from = consumer.loading(self.record) + 1,
                LoadedHistory::UnusableSavepoint if from > 1 => from = 1,
                LoadedHistory::UnusableSavepoint => {
                    consumer.load_history(self.record, &[], false);
                    return Ok(true);
                }
            }
        }
    }

    async fn last_savepoint<DB: SqlTypes, E: Executor<DB>>(&self, executor: &mut E) -> Result<i64, Error> {
        let statement = last_savepoint(self.table, self.schema, self.record, self.to);
        let found = executor.load::<Number>(statement).await;
        let found = found.map_err(|error| Error::of_log(self.log.name.table, error))?;
        Ok(found.first().and_then(|number| number.0).unwrap_or(1))
    }

    async fn slice<DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        from: i64,
    ) -> Result<Vec<HistoryEvent>, Error> {
        let statement = history_slice(self.table, self.schema, self.record, from..=self.to, SLICE);
        let rows = run(executor, self.log, statement).await?;
        Ok(rows.into_iter().map(|(_, event)| event).collect())
    }
}

/// Reads the events of several records of one table, each up to a revision.
async fn read<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    table: LogName,
    schema: Option<&str>,
    records: &[(KeyValue, i64)],
    from_savepoint: bool,
) -> Result<Vec<(KeyValue, Vec<HistoryEvent>)>, Error> {
    let loaded = match read_rows(executor, log, table, schema, records, from_savepoint).await {
        // Read the records one by one, so that an unreadable row affects only its own record.
        Err(error) if is_unreadable(&error) => {
            let mut readable = Vec::new();
            for record in records {
                let record = std::slice::from_ref(record);
                match read_rows(executor, log, table, schema, record, from_savepoint).await {
                    Err(error) if is_unreadable(&error) => {}
                    other => readable.extend(other?),
                }
            }
            readable
        }
        other => other?,
    };
    let mut histories: Vec<(KeyValue, Vec<HistoryEvent>)> = Vec::new();
    for (record, event) in loaded {
        match histories.last_mut() {
            Some((last, events)) if *last == record => events.push(event),
            _ => histories.push((record, vec![event])),
        }
    }
    Ok(histories)
}

async fn read_rows<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    table: LogName,
    schema: Option<&str>,
    records: &[(KeyValue, i64)],
    from_savepoint: bool,
) -> Result<Vec<(KeyValue, HistoryEvent)>, Error> {
    run(executor, log, histories(table, schema, records, from_savepoint)).await
}

async fn run<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    statement: Statement<'_, DB>,
) -> Result<Vec<(KeyValue, HistoryEvent)>, Error> {
    let loaded = match log.keys.exact() {
        ExactKind::Uuid => executor.load::<HistoryRow<UuidKeys>>(statement).await.map(pairs),
        ExactKind::Text => executor.load::<HistoryRow<TextKeys>>(statement).await.map(pairs),
        ExactKind::Int => executor.load::<HistoryRow<IntKeys>>(statement).await.map(pairs),
        ExactKind::BigInt => executor.load::<HistoryRow<BigIntKeys>>(statement).await.map(pairs),
    };
    loaded.map_err(|error| Error::of_log(log.name.table, error))
}

fn pairs<K>(rows: Vec<HistoryRow<K>>) -> Vec<(KeyValue, HistoryEvent)> {
    rows.into_iter().map(|row| (row.record, row.event)).collect()
}
