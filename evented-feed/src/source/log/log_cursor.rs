//! Reads one log for a hub: the live stream, and the changes that its subscribers have missed.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use evented_core::{LogOffset, Position};
use evented_diesel::Error;
use evented_diesel::spi::{
    CommitMark, Cursor, EventedBackend, Executor, LongHistories, PageConsumer, SourceLog, apply_page,
    check_log, check_position, last_final, log_offset, log_position, read_page, start_of_now,
};
use evented_diesel::stream::Interruption;

use crate::router::CatchingUp;
use crate::shared::Reached;
use crate::source::log::model_consumer::ModelConsumer;

/// How many events one page of the live stream has at most.
pub(crate) const EVENTS_PER_PAGE: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

/// How long a model's subscribers that are catching up are served before the live subscribers get their next changes.
const CATCH_UP_SLICE: Duration = Duration::from_millis(10);

/// One log, and the models that the hub reads from it.
pub(crate) struct LogCursor {
    log: SourceLog,
    models: Vec<Box<dyn ModelConsumer>>,
    cursor: Cursor,
    /// For each model, the subscriber that was served last.
    served: Vec<u64>,
}

/// The result of serving the subscribers that are catching up.
#[derive(Default)]
pub(crate) struct Served {
    /// Whether any subscriber was catching up.
    pub(crate) any: bool,
    /// Whether there are further changes to deliver that a buffer has room for.
    pub(crate) more: bool,
}

impl LogCursor {
    /// Opens the log at its present end. `models` creates the models, from the position of the last final event.
    pub(crate) async fn open<DB: EventedBackend, E: Executor<DB>>(
        executor: &mut E,
        log: SourceLog,
        database: u64,
        models: impl FnOnce(Position) -> Vec<Box<dyn ModelConsumer>> + Send,
    ) -> Result<Self, Error> {
        let (last, mark) = check_log(executor, log.name).await?;
        let after = start_of_now(mark.oldest_running, last);
        let last = last_final(executor, &log, database, &mark).await?;
        let models = models(last);
        let served = vec![0; models.len()];
        Ok(Self { log, models, cursor: Cursor::new(after, last), served })
    }

    pub(crate) fn log(&self) -> &SourceLog {
        &self.log
    }

    /// Returns how far the log has been delivered.
    pub(crate) fn reached(&self) -> Reached {
        // The last change of a transaction that continues has not been delivered yet.
        let to = self.cursor.open_since.unwrap_or(self.cursor.after);
        Reached { last: self.cursor.last, to: self.position(to) }
    }

    fn position(&self, offset: LogOffset) -> Position {
        log_position(self.log.stream, self.cursor.last.epoch(), offset, None)
    }

    /// Continues after a reconnect, or begins again at the present if the log does not continue.
    pub(crate) async fn reopen<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        database: u64,
        mark: &CommitMark,
    ) -> Result<Reached, Error> {
        match check_position(executor, &self.log, database, mark, self.cursor.last).await {
            // PostgreSQL assigns transaction numbers after the last event's again after a crash, or in a restored
            // backup.
            Ok(()) => self.cursor.after = log_offset(self.cursor.last),
            Err(Error::MustRefetch { reason, .. }) => self.restart(executor, database, reason).await?,
            Err(other) => return Err(other),
        }
        let to = self.cursor.open_since.map_or(self.cursor.last, |offset| self.position(offset));
        Ok(Reached { last: self.cursor.last, to })
    }

    /// Ends every subscription, and begins again at the present.
    async fn restart<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        database: u64,
        reason: &str,
    ) -> Result<(), Error> {
        // End the subscriptions first: the log may not be readable at all.
        let reason = Interruption::MustRefetch { reason: reason.into() };
        self.restart_models(&reason, database, self.cursor.last);
        let (last, mark) = check_log(executor, self.log.name).await?;
        let after = start_of_now(mark.oldest_running, last);
        self.cursor = Cursor::new(after, last_final(executor, &self.log, database, &mark).await?);
        self.restart_models(&reason, database, self.cursor.last);
        Ok(())
    }

    fn restart_models(&mut self, reason: &Interruption, database: u64, live: Position) {
        self.models.iter_mut().for_each(|model| model.restart(reason, database, live));
    }

    /// Reads the next page of the live stream, up to `bound`, and delivers it. Returns whether the log has more. A history that is
    /// long is loaded in slices, and the other logs are read between two of them.
    pub(crate) async fn poll<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        mark: &CommitMark,
        bound: Option<LogOffset>,
    ) -> Result<bool, Error> {
        if !DB::NUMBERS_TRANSACTIONS {
            // A file can be restored while the connection stays open. SQLite then assigns the same numbers again.
            let last = self.cursor.last;
            match check_position(executor, &self.log, last.epoch(), mark, last).await {
                Ok(()) => {}
                Err(Error::MustRefetch { reason, .. }) => {
                    self.restart(executor, last.epoch(), reason).await?;
                }
                Err(other) => return Err(other),
            }
        }
        let size = i64::try_from(EVENTS_PER_PAGE.get()).unwrap_or(i64::MAX);
        let mut page = read_page(executor, &self.log, self.cursor.after, mark.oldest_running, size).await?;
        if let Some(bound) = bound {
            page.end_at(bound);
        }
        let more = page.has_more();
        let mut consumers: Vec<&mut dyn PageConsumer> =
            self.models.iter_mut().map(|model| model.live()).collect();
        let sliced = LongHistories::Sliced;
        if !apply_page(executor, &self.log, page, &mut consumers, &mut self.cursor, sliced).await? {
            return Ok(true);
        }
        if !more && let Some(txid) = mark.oldest_running {
            // No further event can appear before the oldest open transaction.
            let behind = LogOffset { txid: txid - 1, position: i64::MAX };
            self.cursor.after = self.cursor.after.max(behind);
        }
        if self.cursor.open_since.is_none() {
            // This includes the models that have no event on this page.
            self.models.iter_mut().for_each(|model| model.passed(self.cursor.last));
        }
        Ok(more)
    }

    /// Delivers to the subscribers that are catching up, one after the other, as much as their buffers have room for.
    /// The time is limited, so that the live subscribers do not wait for them. A subscriber that was not served is
    /// first the next time.
    pub(crate) async fn serve_catching_up<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        mark: &CommitMark,
    ) -> Result<Served, Error> {
        let mut served = Served::default();
        let database = self.cursor.last.epoch();
        for (model, last) in self.models.iter_mut().zip(&mut self.served) {
            let until = Instant::now() + CATCH_UP_SLICE;
            let mut catching_up = model.catching_up();
            let first = catching_up.iter().position(|it| it.id > *last).unwrap_or(0);
            catching_up.rotate_left(first);
            for subscriber in catching_up {
                if Instant::now() >= until {
                    served.more = true;
                    break;
                }
                served.any = true;
                *last = subscriber.id;
                served.more |= serve(executor, &self.log, database, mark, model.as_mut(), subscriber).await?;
            }
        }
        Ok(served)
    }
}

/// Delivers to a subscriber that is catching up as much as its buffer has room for. Returns whether there is more.
async fn serve<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    database: u64,
    mark: &CommitMark,
    model: &mut dyn ModelConsumer,
    subscriber: CatchingUp,
) -> Result<bool, Error> {
    let CatchingUp { id, after: from, room } = subscriber;
    let mut cursor = match model.cursor_of(id) {
        Some(cursor) => cursor,
        None => match check_position(executor, log, database, mark, from).await {
            Ok(()) => Cursor::new(log_offset(from), from.in_epoch(database)),
            Err(error) => {
                let reason = match error {
                    Error::MustRefetch { reason, .. } => reason,
                    Error::Position { .. } => "the position is of another stream of changes",
                    other => return Err(other),
                };
                model.interrupt_one(id, Interruption::MustRefetch { reason: reason.into() });
                return Ok(false);
            }
        },
    };
    let size = i64::try_from(room.min(EVENTS_PER_PAGE.get())).unwrap_or(i64::MAX);
    if size == 0 {
        return Ok(false);
    }
    let page = read_page(executor, log, cursor.after, mark.oldest_running, size).await?;
    let more = page.has_more();
    let sliced = LongHistories::Sliced;
    let applied = apply_page(executor, log, page, &mut [model.catch_up(id)], &mut cursor, sliced).await;
    // Store the cursor also after an error, so that no delivery is repeated.
    model.set_cursor(id, cursor);
    let more = !applied? || more;
    if !more {
        model.caught_up(id);
    }
    Ok(more)
}
