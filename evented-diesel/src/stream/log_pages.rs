//! Reads pages of a log in commit order.

use std::sync::Arc;

use evented_core::{ExactKind, LogOffset};

use crate::error::Error;
use crate::exec::Executor;
use crate::sql::{LogName, SqlTypes, Statement};
use crate::statements::{
    BigIntKeys, CommitMark, IntKeys, LoggedEvent, LoggedRow, OffsetRow, TextKeys, UuidKeys, next_offset,
    stream_page,
};
use crate::stream::source_log::SourceLog;

/// The offset before every event.
pub(crate) const BEGINNING: LogOffset = LogOffset { txid: 0, position: 0 };

/// Consecutive events of a log.
#[derive(Debug)]
pub struct LogPage {
    pub(crate) events: Vec<LoggedEvent>,
    /// The row after the events, if it cannot be read at all.
    pub(crate) unreadable: Option<UnreadableRow>,
    /// The transaction of the next event after this page; `None` if the log has no further event yet.
    pub(crate) next_txid: Option<i64>,
}

/// A row of a log that cannot be read, because other SQL wrote it.
#[derive(Debug)]
pub struct UnreadableRow {
    pub(crate) offset: LogOffset,
    pub(crate) schema: Option<String>,
    pub(crate) source: Arc<Error>,
}

impl UnreadableRow {
    /// Returns the offset of the row.
    #[must_use]
    pub fn offset(&self) -> LogOffset {
        self.offset
    }

    /// Returns why it cannot be read.
    #[must_use]
    pub fn reason(&self) -> String {
        self.source.to_string()
    }
}

impl LogPage {
    /// Returns whether the log has more events already.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.next_txid.is_some()
    }

    /// Leaves out the events behind an offset, which is the last of its transaction.
    pub fn end_at(&mut self, bound: LogOffset) {
        let count = self.events.len();
        self.events.retain(|event| event.offset <= bound);
        let is_cut = self.unreadable.take_if(|row| row.offset > bound).is_some();
        if is_cut
            || self.events.len() < count
            || self.events.last().is_some_and(|event| event.offset == bound)
        {
            self.next_txid = None;
        }
    }

    /// Returns for each event whether it is the last of its transaction. On SQLite: whether it is the last committed
    /// event.
    pub(crate) fn ends<DB: SqlTypes>(&self) -> Vec<bool> {
        let txids = self.events.iter().map(|event| event.offset.txid);
        let next = txids.clone().skip(1).map(Some).chain([self.next_txid]);
        let ends = |(this, next): (i64, Option<i64>)| {
            next.is_none() || (DB::NUMBERS_TRANSACTIONS && next != Some(this))
        };
        txids.zip(next).map(ends).collect()
    }
}

/// Reads the current commit mark: which events can have been committed so far.
///
/// # Errors
///
/// Errors of the database.
pub async fn commit_mark<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: LogName,
) -> Result<CommitMark, Error> {
    let statement = Statement::new(DB::COMMIT_MARK_SQL).fixed::<(), CommitMark>();
    let marks =
        executor.load::<CommitMark>(statement).await.map_err(|error| Error::of_log(log.table, error))?;
    marks.into_iter().next().ok_or_else(|| Error::of_log(log.table, diesel::NotFound))
}

/// Reads the next events of a log after an offset, of transactions before `oldest_running`.
///
/// A row that cannot be read ends the page, and the page contains it.
///
/// # Errors
///
/// Errors of the database.
pub async fn read_page<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    after: LogOffset,
    oldest_running: Option<i64>,
    size: i64,
) -> Result<LogPage, Error> {
    let mut size = size;
    loop {
        match readable_page(executor, log, after, oldest_running, size).await {
            Err(error) if is_unreadable(&error) && size > 1 => size /= 2,
            Err(error) if is_unreadable(&error) => {
                return next_alone(executor, log, after, oldest_running).await;
            }
            other => return other,
        }
    }
}

/// Returns whether the error is about decoding a row, so that the connection is still usable.
pub(crate) fn is_unreadable(error: &Error) -> bool {
    matches!(error, Error::Database { error: diesel::result::Error::DeserializationError(_), .. })
}

async fn readable_page<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    after: LogOffset,
    oldest_running: Option<i64>,
    size: i64,
) -> Result<LogPage, Error> {
    // Read one more event than the page holds: it shows whether the page's last event ends its transaction.
    let statement = stream_page(log.name, log.shared, after, oldest_running, size + 1);
    let mut events = load_events(executor, log, statement).await?;
    let more = usize::try_from(size).is_ok_and(|size| events.len() > size);
    let next = if more { events.pop() } else { None };
    Ok(LogPage { events, unreadable: None, next_txid: next.map(|next| next.offset.txid) })
}

/// Reads the next event alone, after it or a later event could not be read.
async fn next_alone<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    after: LogOffset,
    oldest_running: Option<i64>,
) -> Result<LogPage, Error> {
    let statement = stream_page(log.name, log.shared, after, oldest_running, 1);
    let (events, unreadable) = match load_events(executor, log, statement).await {
        Ok(events) => (events, None),
        Err(error) if is_unreadable(&error) => {
            match offset_after(executor, log, after, oldest_running).await? {
                Some(OffsetRow(offset, schema)) => {
                    (Vec::new(), Some(UnreadableRow { offset, schema, source: Arc::new(error) }))
                }
                None => return Err(error),
            }
        }
        Err(other) => return Err(other),
    };
    let last = events.last().map(|event| event.offset);
    let next = match last.or(unreadable.as_ref().map(|row| row.offset)) {
        Some(last) => offset_after(executor, log, last, oldest_running).await?,
        None => None,
    };
    Ok(LogPage { events, unreadable, next_txid: next.map(|OffsetRow(offset, _)| offset.txid) })
}

async fn offset_after<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    after: LogOffset,
    oldest_running: Option<i64>,
) -> Result<Option<OffsetRow>, Error> {
    let rows = executor.load::<OffsetRow>(next_offset(log.name, log.shared, after, oldest_running)).await;
    Ok(rows.map_err(|error| Error::of_log(log.name.table, error))?.into_iter().next())
}

/// Loads events with keys of the log's kind.
async fn load_events<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    statement: Statement<'_, DB>,
) -> Result<Vec<LoggedEvent>, Error> {
    let loaded = match log.keys.exact() {
        ExactKind::Uuid => executor.load::<LoggedRow<UuidKeys>>(statement).await.map(events_of),
        ExactKind::Text => executor.load::<LoggedRow<TextKeys>>(statement).await.map(events_of),
        ExactKind::Int => executor.load::<LoggedRow<IntKeys>>(statement).await.map(events_of),
        ExactKind::BigInt => executor.load::<LoggedRow<BigIntKeys>>(statement).await.map(events_of),
    };
    loaded.map_err(|error| Error::of_log(log.name.table, error))
}

fn events_of<K>(rows: Vec<LoggedRow<K>>) -> Vec<LoggedEvent> {
    rows.into_iter().map(|row| row.0).collect()
}
