//! Applies a page of a log to the models of its events, which turns events into deliveries.

use evented_core::{LogOffset, Position};

use crate::error::Error;
use crate::exec::Executor;
use crate::sql::SqlTypes;
use crate::statements::LoggedEvent;
use crate::stream::consumer::PageConsumer;
use crate::stream::histories::{LongHistories, load_histories};
use crate::stream::log_pages::LogPage;
use crate::stream::positions::log_position;
use crate::stream::source_log::SourceLog;

/// The progress of reading a log.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    /// The offset after which reading continues: that of the last event, or a later one that no more events can
    /// precede.
    pub after: LogOffset,
    /// The position of the last event that was applied.
    pub last: Position,
    /// The offset before the current transaction, if only a part of that transaction has been read; `None` otherwise.
    pub open_since: Option<LogOffset>,
}

impl Cursor {
    /// Creates a cursor that continues after this position.
    #[must_use]
    pub fn new(after: LogOffset, last: Position) -> Self {
        Self { after, last, open_since: None }
    }
}

/// Applies a page to its models. The cursor advances with each event, so reading continues at the right event after an
/// error.
///
/// Returns `false` if the next event needs a long history that is not complete yet. The page is then read again, from
/// that event on.
///
/// # Errors
///
/// The errors of loading the history of a record.
pub async fn apply_page<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    page: LogPage,
    consumers: &mut [&mut dyn PageConsumer],
    cursor: &mut Cursor,
    long: LongHistories,
) -> Result<bool, Error> {
    let (stream, database) = (log.stream, cursor.last.epoch());
    let ends = page.ends::<DB>();
    let mut events = page.events.into_iter();
    for end in ends {
        let Some(event) = events.next() else { break };
        let (offset, id) = (event.offset, event.data.id);
        cursor.open_since.get_or_insert(cursor.after);
        if let Some(consumer) = consumers.iter_mut().find(|consumer| log.is_of(consumer.schema(), &event))
            && !apply(executor, log, *consumer, event, events.as_slice(), long).await?
        {
            return Ok(false);
        }
        cursor.after = offset;
        cursor.last = log_position(stream, database, offset, Some(id));
        if end {
            end_transaction(consumers, cursor);
        }
    }
    if let Some(row) = page.unreadable {
        for consumer in consumers.iter_mut().filter(|consumer| log.may_be_of(consumer.schema(), &row)) {
            consumer.skip_unreadable(&row);
        }
        cursor.after = row.offset;
        cursor.last = log_position(stream, database, row.offset, None);
        end_transaction(consumers, cursor);
    }
    Ok(true)
}

fn end_transaction(consumers: &mut [&mut dyn PageConsumer], cursor: &mut Cursor) {
    consumers.iter_mut().for_each(|consumer| consumer.end_transaction());
    cursor.open_since = None;
}

/// Applies an event. If the state of its record before the event is not known, this first loads the histories that are
/// missing for this event and those after it; together they take few statements. Returns `false` if a history is not
/// complete yet, and the event was not applied.
async fn apply<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    consumer: &mut dyn PageConsumer,
    event: LoggedEvent,
    rest: &[LoggedEvent],
    long: LongHistories,
) -> Result<bool, Error> {
    let Some(event) = consumer.apply(event) else { return Ok(true) };
    let missing = consumer.missing_histories(log, &event, rest);
    let is_complete = load_histories(executor, log, consumer, missing, long).await?;
    if is_complete {
        consumer.apply_after_history(event);
    }
    Ok(is_complete)
}
