//! A log, read in pages by who wants its changes.

use std::num::NonZeroUsize;

use evented_core::{Change, Position};

use super::super::lane::{Lane, position, spot};
use super::super::told::{Interruption, Told};
use super::histories::learn_histories;
use super::{BEGINNING, Source, check_log, check_position, epoch, last_final, mark, page};
use crate::backend::Dialect;
use crate::error::Error;
use crate::model::Model;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{Logged, Mark, Spot};

/// Reads the changes of a model from its log, page by page: for a job that works through them, or a program of its own
/// pace. A [`Hub`](super::super::Hub) does the same for many subscribers at once.
///
/// Nothing is missed and nothing comes twice: keep [`position`](Self::position) with what you made of the changes, and go
/// on [`from`](Self::from) there.
#[derive(Debug)]
pub struct LogReader<M: Model> {
    start: Start,
    size: i64,
    records: NonZeroUsize,
    open: Option<Open<M>>,
}

#[derive(Debug, Clone, Copy)]
enum Start {
    Beginning,
    Now,
    After(Position),
}

struct Open<M: Model> {
    lane: Lane<M>,
    after: Spot,
    /// The last event that was read.
    read: Position,
    /// What was read and is not handed out yet: a page that failed, or was dropped, is handed out with the next one.
    told: Vec<Told<M>>,
    /// The last event that was handed out.
    given: Position,
}

impl<M: Model> std::fmt::Debug for Open<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("after", &self.after).finish_non_exhaustive()
    }
}

/// Some changes in a row.
#[derive(Debug)]
#[non_exhaustive]
pub struct Changes<M: Model> {
    /// The changes, and events that cannot be read, in their order.
    pub changes: Vec<Result<Change<M>, Interruption>>,
    /// Whether there are more already.
    pub more: bool,
}

impl<M: Model> LogReader<M> {
    /// From the first event on.
    #[expect(clippy::new_without_default, reason = "a question, not a value to start from")]
    #[must_use]
    pub fn new() -> Self {
        Self::starting(Start::Beginning)
    }

    /// From the present on: what is committed after the first page was asked for.
    #[must_use]
    pub fn now() -> Self {
        Self::starting(Start::Now)
    }

    /// From a position on.
    #[must_use]
    pub fn from(position: Position) -> Self {
        Self::starting(Start::After(position))
    }

    fn starting(start: Start) -> Self {
        Self { start, size: 1_000, records: super::super::RECORDS, open: None }
    }

    /// How many events a page reads: 1,000, unless it is said here. 0 counts as 1.
    #[must_use]
    pub fn page_size(mut self, events: u16) -> Self {
        self.size = i64::from(events.max(1));
        self
    }

    /// How many records it remembers the state of: 65,536, unless it is said here. Of others, the history is read again
    /// with their next event.
    #[must_use]
    pub fn remember(mut self, records: NonZeroUsize) -> Self {
        self.records = records;
        self
    }

    /// The place of the last event of the last page: reading can go on from there. `None` before the first page.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.open.as_ref().map(|open| open.given)
    }

    /// Reads the next changes; none if there are no more by now.
    pub fn page(&mut self) -> NextChanges<'_, M> {
        NextChanges(self)
    }
}

/// The next changes. See [`LogReader::page`].
///
/// # Errors
///
/// Running it: [`Error::MustRefetch`] if the log does not go on from the position that was given, as the database was
/// restored or copied since; [`Error::Position`] if that is of another log.
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct NextChanges<'r, M: Model>(&'r mut LogReader<M>);

impl<DB: Dialect, M: Model> Operation<DB> for NextChanges<'_, M> {
    type Output = Changes<M>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Changes<M>, Error> {
        let reader = self.0;
        let source = Source::of::<M::Log>();
        // What is open stays where it is while there is waiting: a page that fails, or is dropped, is no new beginning.
        let (open, mark) = match &mut reader.open {
            Some(open) => (open, mark(driver, source.log).await?),
            none => {
                let (last, mark) = check_log(driver, source.log).await?;
                let epoch = epoch(driver, source.log).await?;
                let (after, read) = match reader.start {
                    Start::Beginning => (BEGINNING, position(source.stream, epoch, (0, 0), None)),
                    // A place by which a log that does not go on is noticed.
                    Start::Now => (now(mark.horizon, last), last_final(driver, &source, epoch, &mark).await?),
                    Start::After(position) => {
                        check_position(driver, &source, epoch, &mark, position).await?;
                        (spot(position), position)
                    }
                };
                let page = usize::try_from(reader.size).ok().and_then(NonZeroUsize::new);
                let records = reader.records.max(page.unwrap_or(NonZeroUsize::MIN));
                let lane = Lane::new(records, source.stream, epoch);
                (none.insert(Open { lane, after, read, told: Vec::new(), given: read }), mark)
            }
        };
        next(driver, &source, open, &mark, reader.size).await
    }
}

/// The place after which comes what is committed from now on.
pub(crate) fn now(horizon: Option<i64>, last: Option<Spot>) -> Spot {
    match horizon {
        Some(horizon) => (horizon - 1, i64::MAX),
        None => last.unwrap_or(BEGINNING),
    }
}

async fn next<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    open: &mut Open<M>,
    mark: &Mark,
    size: i64,
) -> Result<Changes<M>, Error> {
    if !DB::NUMBERS_TRANSACTIONS {
        // A file can be restored under a connection that stays: the same positions are given again.
        check_position(driver, source, open.read.epoch(), mark, open.read).await?;
    }
    let read = page(driver, source, open.after, mark.horizon, size).await?;
    open.told.reserve(read.events.len());
    let mine = |logged: &Logged| source.is_of(M::SCHEMA, logged);
    let ends = read.ends::<DB>();
    let more = read.next_txid.is_some();
    let mut events = read.events.into_iter();
    for end in ends {
        let Some(logged) = events.next() else { break };
        let place = (logged.event.txid, logged.event.position);
        let here = open.lane.position(place, logged.event.id);
        if mine(&logged)
            && let Some(logged) = open.lane.take(logged, &mut open.told)
        {
            let rest = events.as_slice().iter().filter(|logged| mine(logged));
            let wanted = open.lane.lacking(std::iter::once(&logged).chain(rest));
            let states = &mut open.lane.states;
            let learn = |record: &_, history: &[_]| states.learn(record, history);
            learn_histories(driver, source, M::SCHEMA, wanted, learn).await?;
            open.lane.take_after_history(logged, &mut open.told);
        }
        (open.after, open.read) = (place, here);
        if end {
            open.lane.end(&mut open.told);
        }
    }
    if let Some(broken) = read.broken {
        if source.may_be_of(M::SCHEMA, &broken) {
            open.lane.broken(&broken, &mut open.told);
        }
        (open.after, open.read) =
            (broken.place, position(source.stream, open.read.epoch(), broken.place, None));
        open.lane.end(&mut open.told);
    }
    // A transaction that goes on in the next page: its last change so far is told now all the same.
    open.lane.flush(&mut open.told);
    open.given = open.read;
    let changes = open.told.drain(..).filter_map(|told| match told {
        Told::Fact(fact) => fact.seen(true, true).map(Ok),
        Told::Unreadable(unreadable) => Some(Err(Interruption::Unreadable(unreadable))),
        Told::End => None,
    });
    Ok(Changes { changes: changes.collect(), more })
}
