//! The log as a stream: its events in an order in which none comes late.
//!
//! On PostgreSQL an event is given its position before its transaction commits, so that positions become visible out of
//! order. Read in the order of (transaction, position), and only below the oldest transaction that is still open, nothing
//! can appear behind the reader. A transaction that stays open delays, and never loses. On SQLite there is one writer at a
//! time, and the position alone is that order.

use std::sync::Arc;

use evented_core::{KeyKind, Position, StreamId};

use super::lane::{anchor_of, position as place_of, spot};
use crate::backend::Dialect;
use crate::error::Error;
use crate::log::{EventLog, LogName};
use crate::run::driver::Driver;
use crate::statement::{
    BigIntKeys, EventId, FinalEvent, IntKeys, LastSpot, Logged, LoggedRow, Mark, Number, PlaceRow, Spot,
    Statement, TextKeys, UuidKeys, event_at, final_event, last_spot, next_place, stream_page,
};

pub(crate) mod desk;
mod histories;
pub(crate) mod reader;
pub(crate) mod source;

/// Before every event.
pub(crate) const BEGINNING: Spot = (0, 0);

/// A log, as far as a reader must know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) log: LogName,
    pub(crate) keys: KeyKind,
    pub(crate) stream: StreamId,
    /// Whether several models share it. Otherwise all events are the one model's, whatever they call it.
    pub(crate) shared: bool,
}

impl Source {
    pub(crate) fn of<L: EventLog>() -> Self {
        Self { log: L::NAME, keys: L::KEY, stream: stream_of(L::NAME), shared: L::SHARED }
    }

    /// Whether an event that cannot be read may be one of a model.
    pub(crate) fn may_be_of(&self, schema: &str, broken: &Broken) -> bool {
        !self.shared || broken.schema.as_deref().is_none_or(|it| it == schema)
    }

    /// Whether an event is one of a model.
    pub(crate) fn is_of(&self, schema: &str, logged: &Logged) -> bool {
        !self.shared || logged.schema.as_deref() == Some(schema)
    }
}

/// The stream of a log.
pub(crate) fn stream_of(log: LogName) -> StreamId {
    match log.schema {
        Some(schema) => StreamId::named(&format!("{schema}.{}", log.table)),
        None => StreamId::named(log.table),
    }
}

/// Some events in a row.
pub(crate) struct LogPage {
    pub(crate) events: Vec<Logged>,
    /// The event after them, if it cannot be read at all.
    pub(crate) broken: Option<Broken>,
    /// The event that comes after them, as far as that is known now: its transaction.
    pub(crate) next_txid: Option<i64>,
}

/// An event whose row cannot be read: somebody wrote it by hand.
pub(crate) struct Broken {
    pub(crate) place: Spot,
    schema: Option<String>,
    pub(crate) source: Arc<Error>,
}

impl LogPage {
    /// Of each event, whether it ends its transaction. On SQLite: whether all that is committed is told with it.
    pub(crate) fn ends<DB: Dialect>(&self) -> Vec<bool> {
        let txids = self.events.iter().map(|logged| logged.event.txid);
        let next = txids.clone().skip(1).map(Some).chain([self.next_txid]);
        let ends = |(this, next): (i64, Option<i64>)| {
            next.is_none() || (DB::NUMBERS_TRANSACTIONS && next != Some(this))
        };
        txids.zip(next).map(ends).collect()
    }
}

/// What may have been committed so far.
pub(crate) async fn mark<DB: Dialect, D: Driver<DB>>(driver: &mut D, log: LogName) -> Result<Mark, Error> {
    let statement = Statement::new(DB::MARK).fixed::<(), Mark>();
    let rows = driver.load::<Mark>(statement).await;
    let rows = rows.map_err(|error| Error::of_log(log.table, error))?;
    rows.into_iter().next().ok_or_else(|| Error::of_log(log.table, diesel::NotFound))
}

/// The next events of a log after a place, of transactions that have ended.
pub(crate) async fn page<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    after: Spot,
    horizon: Option<i64>,
    size: i64,
) -> Result<LogPage, Error> {
    let mut size = size;
    loop {
        match readable_page(driver, source, after, horizon, size).await {
            Err(error) if is_garbage(&error) && size > 1 => size /= 2,
            Err(error) if is_garbage(&error) => return next_alone(driver, source, after, horizon).await,
            other => return other,
        }
    }
}

/// Whether it is a row that is none, and not the connection.
fn is_garbage(error: &Error) -> bool {
    matches!(error, Error::Log { source: diesel::result::Error::DeserializationError(_), .. })
}

/// The next event alone, where it, or the one after it, cannot be read.
async fn next_alone<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    after: Spot,
    horizon: Option<i64>,
) -> Result<LogPage, Error> {
    let statement = stream_page(source.log, source.shared, after, horizon, 1);
    let (events, broken) = match load(driver, source, statement).await {
        Ok(events) => (events, None),
        Err(error) if is_garbage(&error) => match place_after(driver, source, after, horizon).await? {
            Some(PlaceRow(place, schema)) => {
                (Vec::new(), Some(Broken { place, schema, source: Arc::new(error) }))
            }
            None => return Err(error),
        },
        Err(other) => return Err(other),
    };
    let last = events.last().map(|logged| (logged.event.txid, logged.event.position));
    let next = match last.or(broken.as_ref().map(|broken| broken.place)) {
        Some(last) => place_after(driver, source, last, horizon).await?,
        None => None,
    };
    Ok(LogPage { events, broken, next_txid: next.map(|PlaceRow((txid, _), _)| txid) })
}

async fn place_after<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    after: Spot,
    horizon: Option<i64>,
) -> Result<Option<PlaceRow>, Error> {
    let rows = driver.load::<PlaceRow>(next_place(source.log, after, horizon)).await;
    Ok(rows.map_err(|error| Error::of_log(source.log.table, error))?.into_iter().next())
}

async fn readable_page<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    after: Spot,
    horizon: Option<i64>,
    size: i64,
) -> Result<LogPage, Error> {
    // One more than is wanted: it says whether the last one ends its transaction.
    let statement = stream_page(source.log, source.shared, after, horizon, size + 1);
    let mut events = load(driver, source, statement).await?;
    let more = usize::try_from(size).is_ok_and(|size| events.len() > size);
    let next = if more { events.pop() } else { None };
    Ok(LogPage { events, broken: None, next_txid: next.map(|next| next.event.txid) })
}

/// Loads events, whose keys are of the log's kind.
async fn load<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    statement: Statement<'_, DB>,
) -> Result<Vec<Logged>, Error> {
    let loaded = match source.keys {
        KeyKind::Uuid => driver.load::<LoggedRow<UuidKeys>>(statement).await.map(logged),
        KeyKind::Text => driver.load::<LoggedRow<TextKeys>>(statement).await.map(logged),
        KeyKind::Int => driver.load::<LoggedRow<IntKeys>>(statement).await.map(logged),
        KeyKind::BigInt => driver.load::<LoggedRow<BigIntKeys>>(statement).await.map(logged),
    };
    loaded.map_err(|error| Error::of_log(source.log.table, error))
}

fn logged<K>(rows: Vec<LoggedRow<K>>) -> Vec<Logged> {
    rows.into_iter().map(|row| row.0).collect()
}

/// What tells this database apart from copies of it.
pub(crate) async fn epoch<DB: Dialect, D: Driver<DB>>(driver: &mut D, log: LogName) -> Result<u64, Error> {
    let rows = driver.load::<Number>(Statement::new(DB::EPOCH)).await;
    let rows = rows.map_err(|error| Error::of_log(log.table, error))?;
    Ok(rows.into_iter().next().and_then(|number| number.0).unwrap_or(0).cast_unsigned())
}

/// The last place of a log, and what may have been committed; an event of a transaction that has not begun is of another
/// database.
pub(crate) async fn check_log<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    log: LogName,
) -> Result<(Option<Spot>, Mark), Error> {
    let last = driver.load::<LastSpot>(last_spot(log)).await;
    let last = last.map_err(|error| Error::of_log(log.table, error))?;
    let last = last.into_iter().next().and_then(|last| last.0);
    // In this order: what is there has begun before.
    let mark = mark(driver, log).await?;
    match (last, mark.next) {
        (Some((txid, _)), Some(next)) if txid >= next => {
            Err(Error::ForeignLog { log: log.table, txid, next })
        }
        _ => Ok((last, mark)),
    }
}

/// The last event that is final by now, as a position; the beginning if there is none.
pub(crate) async fn last_final<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    epoch: u64,
    mark: &Mark,
) -> Result<Position, Error> {
    let last = driver.load::<FinalEvent>(final_event(source.log, mark.horizon)).await;
    let last = last.map_err(|error| Error::of_log(source.log.table, error))?.into_iter().next();
    Ok(match last {
        Some(FinalEvent(at, id)) => place_of(source.stream, epoch, at, Some(id)),
        None => place_of(source.stream, epoch, BEGINNING, None),
    })
}

/// Whether a log goes on after a position as it did when that was given out.
pub(crate) async fn check_position<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    epoch: u64,
    mark: &Mark,
    position: Position,
) -> Result<(), Error> {
    let log = source.log.table;
    if position.stream() != source.stream {
        return Err(Error::Position { log, position });
    }
    let refetch = |reason| Err(Error::MustRefetch { log, reason });
    if position.epoch() != 0 && position.epoch() != epoch {
        return refetch("the position is of another database, or of the one that this was copied from");
    }
    let place = spot(position);
    if mark.next.is_some_and(|next| place.0 >= next) {
        return refetch("the position is ahead of the database, which was restored since");
    }
    if position.anchor() == 0 {
        return Ok(());
    }
    let rows = driver.load::<EventId>(event_at(source.log, place)).await;
    let found = rows.map_err(|error| Error::of_log(log, error))?.into_iter().next();
    match found {
        Some(EventId(id)) if anchor_of(id) == position.anchor() => Ok(()),
        Some(_) => refetch("another event stands at the position: the database was restored since"),
        None => refetch("the event at the position is gone: the database was restored since"),
    }
}
