//! Loads the histories of records whose state before an event is not known.

use evented_core::{ExactKind, KeyValue};

use crate::error::Error;
use crate::exec::Executor;
use crate::sql::{LogName, SqlTypes};
use crate::statements::{BigIntKeys, HistoryEvent, HistoryRow, IntKeys, TextKeys, UuidKeys, histories};
use crate::stream::consumer::PageConsumer;
use crate::stream::log_pages::is_unreadable;
use crate::stream::source_log::SourceLog;

/// Histories to load from one table with one statement: several records, each up to a revision.
#[derive(Debug)]
pub struct WantedHistories {
    pub(crate) table: LogName,
    pub(crate) records: Vec<(KeyValue, i64)>,
}

/// Loads histories, each from its last savepoint on, or from the first event if the consumer cannot use the savepoint.
pub(crate) async fn load_histories<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    consumer: &mut dyn PageConsumer,
    wanted: Vec<WantedHistories>,
) -> Result<(), Error> {
    let schema = log.shared.then_some(consumer.schema());
    for WantedHistories { table, records } in wanted {
        for (record, history) in read(executor, log, table, schema, &records, true).await? {
            if consumer.load_history(&record, &history) {
                continue;
            }
            let whole = [(record, history.last().map_or(0, |event| event.data.revision))];
            for (record, history) in read(executor, log, table, schema, &whole, false).await? {
                consumer.load_history(&record, &history);
            }
        }
    }
    Ok(())
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
    let statement = histories(table, schema, records, from_savepoint);
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
