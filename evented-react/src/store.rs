//! The statements about the tables of subscribers, with the types of their rows.

mod cursors;
mod deferred;
mod parts;
mod schedule_rows;
mod subscribers;
mod workers;

pub(crate) use cursors::{CursorRow, MovedPart, cursors_of, insert_cursor, move_cursor, move_idle};
pub(crate) use deferred::{
    AsideCount, DeferredRow, DuePart, Keyed, State, bury, count_aside, defer, deferred_at, deferred_of, due,
    due_parts, forget, postpone, promote, renumber, renumber_transactions, revive, revive_unreadable,
    waiting_keys,
};
pub(crate) use parts::{
    IsLocked, LockedPart, PartRow, Patience, free_part, free_parts, insert_part, lock_part, locked_part,
    mark_event, part_rows, take_part,
};
pub(crate) use schedule_rows::{ScheduleRow, remove_schedule, schedules};
#[cfg(feature = "cron")]
pub(crate) use schedule_rows::{
    insert_schedule, lock_due_schedule, lock_schedule, schedule_row, set_schedule,
};
pub(crate) use subscribers::{
    SubscriberRow, division, forget_earlier, insert_subscriber, lock_subscriber, pause, remove_parts,
    set_division, set_home, set_stalled, subscriber_row, subscribers, unsubscribe, update_subscriber,
};
pub(crate) use workers::{LiveRow, insert_worker, live_workers, remove_worker, sweep};

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::spi::{Executor, SqlTypes, Statement, Text, optional};
use evented_diesel::{Error, Subject};

/// The milliseconds since 1970, by the clock of the database: one clock for all machines.
pub(crate) fn now_sql<DB: SqlTypes>() -> &'static str {
    DB::NOW_MILLIS
}

/// A row whose columns do not matter.
pub(crate) struct Nothing;

impl<DB: SqlTypes> QueryableByName<DB> for Nothing {
    fn build<'a>(_: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self)
    }
}

/// Reads a number that must not be null.
pub(crate) fn number<'a, DB: SqlTypes>(
    row: &impl NamedRow<'a, DB>,
    index: usize,
) -> deserialize::Result<i64> {
    optional(row, index, DB::read_big_int)?.ok_or_else(|| format!("column {index} is null").into())
}

/// Reads a 32-bit number that must not be null.
pub(crate) fn small<'a, DB: SqlTypes>(row: &impl NamedRow<'a, DB>, index: usize) -> deserialize::Result<i32> {
    optional(row, index, DB::read_int)?.ok_or_else(|| format!("column {index} is null").into())
}

/// Reads a text that must not be null.
pub(crate) fn text<'a, DB: SqlTypes>(
    row: &impl NamedRow<'a, DB>,
    index: usize,
) -> deserialize::Result<String> {
    optional(row, index, DB::read_text)?.ok_or_else(|| format!("column {index} is null").into())
}

/// Runs a statement of this crate's own tables.
pub(crate) async fn write<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    statement: Statement<'_, DB, impl Text>,
) -> Result<usize, Error> {
    executor.execute(statement).await.map_err(failed)
}

/// Reads rows of this crate's own tables.
pub(crate) async fn load<R, DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    statement: Statement<'_, DB, impl Text>,
) -> Result<Vec<R>, Error>
where
    R: QueryableByName<DB> + Send + 'static,
{
    executor.load(statement).await.map_err(failed)
}

/// Returns the error of a statement about subscribers.
pub(crate) fn failed(error: diesel::result::Error) -> Error {
    Error::database(subject(""), error)
}

/// Names a subscriber in errors; empty for the tables of all.
pub(crate) fn subject(subscriber: &str) -> Subject {
    Subject::Object { kind: "subscriber", name: subscriber.to_owned() }
}

/// Names a schedule in errors.
pub(crate) fn subject_of_schedule(schedule: &str) -> Subject {
    Subject::Object { kind: "schedule", name: schedule.to_owned() }
}
