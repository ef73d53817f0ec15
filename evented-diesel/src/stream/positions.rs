//! Composes positions in a log, and checks whether a log can continue after one.

use evented_core::{LogOffset, Position, StreamId};
use uuid::Uuid;

use crate::error::{Error, Subject};
use crate::exec::{Executor, Transaction};
use crate::sql::{LogName, SqlTypes, Statement};
use crate::statements::{
    CommitMark, EventId, FinalEvent, LastOffset, Number, event_at, final_event, last_offset,
};
use crate::stream::log_pages::{BEGINNING, commit_mark};
use crate::stream::source_log::SourceLog;

/// Creates the position of an event in a log.
///
/// It contains the number of the database and an anchor of the event, so that a restored or copied database is
/// detected.
#[must_use]
pub fn log_position(stream: StreamId, database: u64, offset: LogOffset, event: Option<Uuid>) -> Position {
    let anchor = event.map_or(0, anchor_of);
    Position::new(stream, offset.txid.cast_unsigned(), offset.position.cast_unsigned())
        .in_epoch(database)
        .anchored(anchor)
}

/// Distinguishes an event from another event at the same offset, by the random half of its id.
#[must_use]
pub fn anchor_of(event: Uuid) -> u64 {
    event.as_u64_pair().1
}

/// Returns the offset in a log that a position contains.
#[must_use]
pub fn log_offset(position: Position) -> LogOffset {
    LogOffset { txid: position.major().cast_signed(), position: position.minor().cast_signed() }
}

/// Returns the offset after which every event comes that is committed from now on.
#[must_use]
pub fn start_of_now(oldest_running: Option<i64>, last: Option<LogOffset>) -> LogOffset {
    match oldest_running {
        Some(txid) => LogOffset { txid: txid - 1, position: i64::MAX },
        None => last.unwrap_or(BEGINNING),
    }
}

/// Reads a number that distinguishes this database from its copies; 0 if the database has no such number.
///
/// # Errors
///
/// Errors of the database.
pub async fn database_id<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: LogName,
) -> Result<u64, Error> {
    let ids = executor.load::<Number>(Statement::new(DB::DATABASE_ID_SQL)).await;
    let ids = ids.map_err(|error| Error::of_log(log.table, error))?;
    Ok(ids.into_iter().next().and_then(|number| number.0).unwrap_or(0).cast_unsigned())
}

/// Reads the last offsets of several logs, all at one moment.
///
/// # Errors
///
/// Errors of the database.
pub async fn last_offsets<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    logs: &[LogName],
) -> Result<Vec<LogOffset>, Error> {
    let Some(first) = logs.first() else { return Ok(Vec::new()) };
    let name = Subject::Log(first.table);
    let transaction = Transaction::join(executor, &name).await?;
    let mut offsets = Vec::with_capacity(logs.len());
    let mut read = Ok(());
    for log in logs {
        match executor.load::<LastOffset>(last_offset(*log)).await {
            Ok(last) => offsets.push(last.into_iter().next().and_then(|last| last.0).unwrap_or(BEGINNING)),
            Err(error) => {
                read = Err(Error::of_log(log.table, error));
                break;
            }
        }
    }
    transaction.close(executor, &name, read).await?;
    Ok(offsets)
}

/// Reads the position behind everything that is in a log, after a read of the rows that it led to: a hub that has reached it
/// has delivered every event whose effect the read may have seen.
///
/// # Errors
///
/// Errors of the database.
pub async fn marker<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
) -> Result<Position, Error> {
    if let CommitMark { next: Some(next), .. } = commit_mark(executor, log.name).await? {
        let offset = LogOffset { txid: next - 1, position: i64::MAX };
        return Ok(log_position(log.stream, 0, offset, None));
    }
    let last = last_offsets(executor, &[log.name]).await?;
    Ok(log_position(log.stream, 0, last.first().copied().unwrap_or(BEGINNING), None))
}

/// Reads the last offset of a log, and then the commit mark.
///
/// # Errors
///
/// [`Error::ForeignLog`] for an event of a transaction that this server has not begun; errors of the database.
pub async fn check_log<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: LogName,
) -> Result<(Option<LogOffset>, CommitMark), Error> {
    let last = executor.load::<LastOffset>(last_offset(log)).await;
    let last = last.map_err(|error| Error::of_log(log.table, error))?;
    let last = last.into_iter().next().and_then(|last| last.0);
    // The order matters: the transaction of every event in the log has begun before the mark is read.
    let mark = commit_mark(executor, log).await?;
    match (last, mark.next) {
        (Some(LogOffset { txid, .. }), Some(next)) if txid >= next => {
            Err(Error::ForeignLog { log: log.table, txid, next })
        }
        _ => Ok((last, mark)),
    }
}

/// Reads the position of the last event that is final by now; the position before every event if there is none.
///
/// # Errors
///
/// Errors of the database.
pub async fn last_final<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    database: u64,
    mark: &CommitMark,
) -> Result<Position, Error> {
    let last = executor.load::<FinalEvent>(final_event(log.name, mark.oldest_running)).await;
    let last = last.map_err(|error| Error::of_log(log.name.table, error))?.into_iter().next();
    Ok(match last {
        Some(FinalEvent(at, id)) => log_position(log.stream, database, at, Some(id)),
        None => log_position(log.stream, database, BEGINNING, None),
    })
}

/// Checks that a log can continue after a position: the same event is still there as when the position was issued.
///
/// # Errors
///
/// [`Error::Position`] for a position of another stream; [`Error::MustRefetch`] if the database was restored or copied
/// since; errors of the database.
pub async fn check_position<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    source: &SourceLog,
    database: u64,
    mark: &CommitMark,
    position: Position,
) -> Result<(), Error> {
    let log = source.name.table;
    if position.stream() != source.stream {
        return Err(Error::Position { log, position });
    }
    let refetch = |reason| Err(Error::MustRefetch { log, reason });
    if position.epoch() != 0 && position.epoch() != database {
        return refetch("the position is of another database, or of the one that this was copied from");
    }
    let offset = log_offset(position);
    if mark.next.is_some_and(|next| offset.txid >= next) {
        return refetch("the position is ahead of the database, which was restored since");
    }
    if position.anchor() == 0 && mark.next.is_some() {
        return Ok(());
    }
    if position.anchor() == 0 {
        // Transactions have no numbers here. A position ahead of the log would wait for events that have other ones.
        let last = executor.load::<LastOffset>(last_offset(source.name)).await;
        let last =
            last.map_err(|error| Error::of_log(log, error))?.into_iter().next().and_then(|last| last.0);
        if offset > last.unwrap_or(BEGINNING) {
            return refetch("the position is ahead of the log, which was restored since");
        }
        return Ok(());
    }
    let found = executor.load::<EventId>(event_at(source.name, offset)).await;
    match found.map_err(|error| Error::of_log(log, error))?.into_iter().next() {
        Some(EventId(id)) if anchor_of(id) == position.anchor() => Ok(()),
        Some(_) => refetch("another event stands at the position: the database was restored since"),
        None => refetch("the event at the position is gone: the database was restored since"),
    }
}
