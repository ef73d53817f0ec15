//! Reads the changes of a log in pages.

use std::num::NonZeroUsize;

use evented_core::{Change, Position};

use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::Model;
use crate::sql::SqlTypes;
use crate::statements::CommitMark;
use crate::stream::apply_page::{Cursor, apply_page};
use crate::stream::consumer::Consumer;
use crate::stream::delivery::{Delivery, Interruption};
use crate::stream::histories::LongHistories;
use crate::stream::log_pages::{BEGINNING, commit_mark, read_page};
use crate::stream::model_stream::{DEFAULT_STATE_CACHE_SIZE, ModelStream};
use crate::stream::positions::{
    check_log, check_position, database_id, last_final, log_offset, log_position, start_of_now,
};
use crate::stream::source_log::SourceLog;

/// Reads the changes of a model from its log, page by page, for a job that processes them at its own pace. A `Hub` of
/// `evented-feed` reads the same changes for many subscribers at once.
///
/// The reader misses no change and repeats none: store [`position`](Self::position) together with the result of
/// processing the changes, and continue with [`resume`](Self::resume).
///
/// ```ignore
/// let mut reader = LogReader::<Item>::from_start();
/// loop {
///     let page = reader.page().run(&mut conn)?;
///     for change in page.changes {
///         println!("{:?}", change?.kind());
///     }
///     if !page.more {
///         break;
///     }
/// }
/// ```
#[derive(Debug)]
pub struct LogReader<M: Model> {
    start: Start,
    page_size: i64,
    cache_size: NonZeroUsize,
    open: Option<Open<M>>,
}

#[derive(Debug, Clone, Copy)]
enum Start {
    Beginning,
    Now,
    After(Position),
}

/// The state of a reader that has started to read.
#[derive(Debug)]
struct Open<M: Model> {
    /// Its sink holds deliveries that were read but not returned yet. If a page failed or was dropped, the next page
    /// returns them.
    consumer: Consumer<M, Vec<Delivery<M>>>,
    cursor: Cursor,
    /// The position of the last event of the last returned page.
    handed_out: Position,
}

/// A page of changes.
#[derive(Debug)]
#[non_exhaustive]
pub struct ChangePage<M: Model> {
    /// The changes, and errors for events that cannot be read, in log order.
    pub changes: Vec<Result<Change<M>, Interruption>>,
    /// Whether the log has more changes already.
    pub more: bool,
}

impl<M: Model> LogReader<M> {
    /// Creates a reader that starts at the first event.
    #[must_use]
    pub fn from_start() -> Self {
        Self::starting(Start::Beginning)
    }

    /// Creates a reader that returns only changes that are committed after its first page is read.
    #[must_use]
    pub fn from_now() -> Self {
        Self::starting(Start::Now)
    }

    /// Creates a reader that continues after a position of a reader, a feed or a change.
    #[must_use]
    pub fn resume(position: Position) -> Self {
        Self::starting(Start::After(position))
    }

    fn starting(start: Start) -> Self {
        Self { start, page_size: 1_000, cache_size: DEFAULT_STATE_CACHE_SIZE, open: None }
    }

    /// Sets the maximum number of events that a page reads. Default: 1,000. 0 counts as 1.
    #[must_use]
    pub fn page_size(mut self, events: u16) -> Self {
        self.page_size = i64::from(events.max(1));
        self
    }

    /// Sets how many records the reader caches the state of. Default: 65,536. For any other record, the reader reads
    /// the history again at its next event.
    #[must_use]
    pub fn state_cache_size(mut self, records: NonZeroUsize) -> Self {
        self.cache_size = records;
        self
    }

    /// Returns the position of the last event of the last page; [`resume`](Self::resume) continues after it. `None`
    /// before the first page.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.open.as_ref().map(|open| open.handed_out)
    }

    /// Reads the next changes. The page is empty if there are no more yet.
    pub fn page(&mut self) -> ReadPage<'_, M> {
        ReadPage(self)
    }
}

/// Reads the next page of changes. See [`LogReader::page`].
///
/// # Errors
///
/// Running it: [`Error::MustRefetch`] if the log cannot continue after the given position, because the database was
/// restored or copied since; [`Error::Position`] if the position belongs to another log.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct ReadPage<'r, M: Model>(&'r mut LogReader<M>);

impl<M: Model> sealed::Operation for ReadPage<'_, M> {}

impl<DB: SqlTypes, M: Model> Operation<DB> for ReadPage<'_, M> {
    type Output = ChangePage<M>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<ChangePage<M>, Error> {
        let reader = self.0;
        let log = SourceLog::of::<M::Log>();
        // The state stays in the reader while this operation waits. A page that fails or is dropped does not start
        // over.
        let (open, mark) = match &mut reader.open {
            Some(open) => (open, commit_mark(executor, log.name).await?),
            none => {
                let (open, mark) =
                    begin(executor, &log, reader.start, reader.page_size, reader.cache_size).await?;
                (none.insert(open), mark)
            }
        };
        next(executor, &log, open, &mark, reader.page_size).await
    }
}

async fn begin<DB: SqlTypes, M: Model, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    start: Start,
    page_size: i64,
    cache_size: NonZeroUsize,
) -> Result<(Open<M>, CommitMark), Error> {
    let (last, mark) = check_log(executor, log.name).await?;
    let database = database_id(executor, log.name).await?;
    let cursor = match start {
        Start::Beginning => Cursor::new(BEGINNING, log_position(log.stream, database, BEGINNING, None)),
        // This is the position of an event, so that a log that cannot continue after it is detected.
        Start::Now => {
            let last_final = last_final(executor, log, database, &mark).await?;
            Cursor::new(start_of_now(mark.oldest_running, last), last_final)
        }
        Start::After(position) => {
            check_position(executor, log, database, &mark, position).await?;
            Cursor::new(log_offset(position), position.in_epoch(database))
        }
    };
    let page = usize::try_from(page_size).ok().and_then(NonZeroUsize::new);
    let cache_size = cache_size.max(page.unwrap_or(NonZeroUsize::MIN));
    let stream = ModelStream::new(cache_size, log.stream, database);
    let handed_out = match start {
        Start::After(position) => position,
        Start::Beginning | Start::Now => cursor.last,
    };
    Ok((Open { consumer: Consumer::new(stream, Vec::new()), cursor, handed_out }, mark))
}

async fn next<DB: SqlTypes, M: Model, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    open: &mut Open<M>,
    mark: &CommitMark,
    page_size: i64,
) -> Result<ChangePage<M>, Error> {
    let Open { consumer, cursor, handed_out } = open;
    if !DB::NUMBERS_TRANSACTIONS {
        // A file can be restored under an open connection. SQLite then assigns the same numbers again.
        check_position(executor, log, cursor.last.epoch(), mark, cursor.last).await?;
    }
    let page = read_page(executor, log, cursor.after, mark.oldest_running, page_size).await?;
    let more = page.has_more();
    apply_page(executor, log, page, &mut [consumer], cursor, LongHistories::Whole).await?;
    // The transaction may continue in the next page. Its last change so far is returned now anyway.
    consumer.flush();
    *handed_out = cursor.last;
    let changes = consumer.sink_mut().drain(..).filter_map(|delivery| match delivery {
        Delivery::Change(change) => change.seen(true, true).map(Ok),
        Delivery::Unreadable(unreadable) => Some(Err(Interruption::Unreadable(unreadable))),
        Delivery::Revised(_) | Delivery::EndOfTransaction => None,
    });
    Ok(ChangePage { changes: changes.collect(), more })
}
