//! Reads one log for one subscriber, and turns its events into deliveries.

use std::num::NonZeroUsize;

use evented_core::{LogOffset, Position};
use evented_diesel::Error;
use evented_diesel::spi::{
    CommitMark, Cursor, EventedBackend, Executor, LongHistories, PageConsumer, SourceLog, apply_page,
    check_position, log_offset, read_page,
};

use crate::item::Item;
use crate::source::ItemConsumer;
use crate::store::CursorRow;
use crate::subscriber::Subscriber;

/// How many records each log of a subscriber keeps the state of.
const CACHED_STATES: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// The reading of one log for one subscriber.
pub(crate) struct Tail<C> {
    pub(crate) log: SourceLog,
    consumers: Vec<Box<dyn ItemConsumer<C>>>,
    cursor: Cursor,
}

/// Deliveries of consecutive events of a log.
pub(crate) struct Read<C> {
    pub(crate) items: Vec<Item<C>>,
    /// The offset after which reading began.
    pub(crate) from: LogOffset,
    /// How far the log was read.
    pub(crate) to: Place,
    /// Whether the log has more events already.
    pub(crate) more: bool,
}

/// A place in a log: where a tail begins, or how far it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: LogOffset,
    /// What distinguishes the event there from another one; 0 if it is not known.
    pub(crate) anchor: i64,
}

impl<C> Tail<C> {
    /// Creates a tail of the log with this index that begins after `start`. `database` is the number of the database.
    pub(crate) fn new(
        subscriber: &Subscriber<C>,
        stream: usize,
        database: u64,
        start: Place,
    ) -> Option<Self> {
        let log = *subscriber.logs().get(stream)?;
        let of_log = subscriber.sources.iter().filter(|source| source.log().name == log.name);
        let consumers = of_log.map(|source| source.consumer(stream, database, CACHED_STATES)).collect();
        let last = start.position(&log, database);
        Some(Self { log, consumers, cursor: Cursor::new(start.offset, last) })
    }

    /// Continues after another offset: a part was taken that is behind.
    pub(crate) fn seek(&mut self, start: Place) {
        let last = start.position(&self.log, self.cursor.last.epoch());
        self.cursor = Cursor::new(start.offset, last);
    }

    /// Reads the next events, of transactions before `oldest_running`.
    pub(crate) async fn read<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        oldest_running: Option<i64>,
        size: i64,
    ) -> Result<Read<C>, Error> {
        let from = self.cursor.after;
        let page = read_page(executor, &self.log, self.cursor.after, oldest_running, size).await?;
        let more = page.has_more();
        let mut consumers: Vec<&mut dyn PageConsumer> =
            self.consumers.iter_mut().map(|consumer| consumer.page_consumer()).collect();
        apply_page(executor, &self.log, page, &mut consumers, &mut self.cursor, LongHistories::Whole).await?;
        let mut items = Vec::new();
        for consumer in &mut self.consumers {
            consumer.take(&mut items);
        }
        // Several models can share the log: their deliveries are in the order of the log, too.
        items.sort_by_key(|item| item.offset);
        Ok(Read { items, from, to: self.place(), more })
    }

    /// Returns how far the tail has read.
    pub(crate) fn place(&self) -> Place {
        let Cursor { after, last, .. } = self.cursor;
        let anchor = if log_offset(last) == after { last.anchor().cast_signed() } else { 0 };
        Place { offset: after, anchor }
    }
}

impl Place {
    /// Returns the place of an event.
    pub(crate) fn of(position: Position) -> Self {
        Self { offset: log_offset(position), anchor: position.anchor().cast_signed() }
    }

    /// Returns the place as a position of a log, in the database with this number.
    fn position(self, log: &SourceLog, database: u64) -> Position {
        let Self { offset, anchor } = self;
        Position::new(log.stream, offset.txid.cast_unsigned(), offset.position.cast_unsigned())
            .in_epoch(database)
            .anchored(anchor.cast_unsigned())
    }
}

impl From<&CursorRow> for Place {
    fn from(row: &CursorRow) -> Self {
        Self { offset: row.offset, anchor: row.anchor }
    }
}

/// Checks that a log can continue after a place: the event there is the one that it was stored for. A copy of the database has the
/// events and the cursors of the original.
pub(crate) async fn check_start<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    mark: &CommitMark,
    start: Place,
) -> Result<(), Error> {
    check_position(executor, log, 0, mark, start.position(log, 0)).await
}
