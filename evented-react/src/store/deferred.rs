//! Statements about `evented_deferred`: deliveries that were set aside.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::LogOffset;
use evented_diesel::spi::{Database, SqlTypes, Statement, optional};

use crate::key::OrderKey;
use crate::store::{CursorRow, now_sql, number, small, text};

/// The state of a delivery that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It failed, and is tried again.
    Retry,
    /// It waits for an earlier delivery of its key.
    Behind,
    /// It is not tried again until somebody says so, and its key waits.
    Dead,
    /// It is not tried again until somebody says so, and its key goes on.
    Passed,
    /// This program cannot read the event. It is tried again when a worker takes the part.
    Unreadable,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Behind => "behind",
            Self::Dead => "dead",
            Self::Passed => "passed",
            Self::Unreadable => "unreadable",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "retry" => Self::Retry,
            "behind" => Self::Behind,
            "passed" => Self::Passed,
            "unreadable" => Self::Unreadable,
            _ => Self::Dead,
        }
    }
}

/// A delivery that was set aside.
#[derive(Debug, Clone)]
pub(crate) struct DeferredRow {
    pub(crate) part: i32,
    pub(crate) number: i64,
    pub(crate) stream: String,
    pub(crate) offset: LogOffset,
    pub(crate) input: i32,
    pub(crate) key: OrderKey,
    pub(crate) state: State,
    pub(crate) attempts: i32,
    pub(crate) error: Option<String>,
    /// The milliseconds until the next attempt.
    pub(crate) due_in: Option<i64>,
    /// The milliseconds since it was set aside.
    pub(crate) age: i64,
    /// The number of parts at that time, and the part that has set it aside, if every part did: its key was not known.
    pub(crate) origin: Option<(i32, i32)>,
}

impl<DB: SqlTypes> QueryableByName<DB> for DeferredRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            part: small(row, 0)?,
            number: number(row, 1)?,
            stream: text(row, 2)?,
            offset: LogOffset { txid: number(row, 3)?, position: number(row, 4)? },
            input: small(row, 5)?,
            key: OrderKey::from_stored(text(row, 6)?),
            state: State::of(&text(row, 7)?),
            attempts: small(row, 8)?,
            error: optional(row, 9, DB::read_text)?,
            due_in: optional(row, 10, DB::read_big_int)?,
            age: number(row, 11)?,
            origin: optional(row, 12, DB::read_int)?.zip(optional(row, 13, DB::read_int)?),
        })
    }
}

fn select<'q, DB: SqlTypes>(subscriber: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "SELECT d.part, d.number, d.stream, d.txid, d.position, d.input, d.key, d.state, d.attempts, d.error, \
         d.retry_at - ",
    );
    statement.sql(now_sql::<DB>()).sql(", ").sql(now_sql::<DB>());
    statement
        .sql(" - d.deferred_at, d.of_parts, d.of_part FROM evented_deferred d WHERE d.subscriber = ")
        .value(subscriber);
    statement
}

/// Reads the deliveries of a part that have a time of their next attempt, the most urgent first.
pub(crate) fn due<'q, DB: SqlTypes>(subscriber: &'q str, part: i32, limit: i64) -> Statement<'q, DB> {
    let mut statement = select(subscriber);
    statement.sql(" AND d.part = ").value(part).sql(" AND d.retry_at IS NOT NULL");
    statement.sql(" ORDER BY d.retry_at, d.number LIMIT ").value(limit);
    statement
}

/// Reads what a subscriber has set aside, in the order in which it happened.
pub(crate) fn deferred_of<'q, DB: SqlTypes>(subscriber: &'q str, limit: i64) -> Statement<'q, DB> {
    let mut statement = select(subscriber);
    statement.sql(" ORDER BY d.deferred_at, d.part, d.number LIMIT ").value(limit);
    statement
}

/// Reads what a subscriber has set aside of an event.
pub(crate) fn deferred_at<'q, DB: SqlTypes>(
    subscriber: &'q str,
    stream: &'q str,
    at: LogOffset,
) -> Statement<'q, DB> {
    let mut statement = select(subscriber);
    statement.sql(" AND d.stream = ").value(stream).sql(" AND d.position = ").value(at.position);
    if DB::NUMBERS_TRANSACTIONS {
        statement.sql(" AND d.txid = ").value(at.txid);
    }
    statement.sql(" ORDER BY d.number");
    statement
}

/// A part that has deliveries which are due.
pub(crate) struct DuePart(pub(crate) i32);

impl<DB: SqlTypes> QueryableByName<DB> for DuePart {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        small(row, 0).map(Self)
    }
}

/// Reads the parts of a subscriber that have deliveries which are due.
pub(crate) fn due_parts<'q, DB: SqlTypes>(subscriber: &'q str) -> Statement<'q, DB> {
    let mut statement =
        Statement::new("SELECT DISTINCT d.part FROM evented_deferred d WHERE d.subscriber = ");
    statement.value(subscriber).sql(" AND d.retry_at <= ").sql(now_sql::<DB>());
    statement
}

/// A key that is set aside.
pub(crate) struct Keyed(pub(crate) OrderKey);

impl<DB: SqlTypes> QueryableByName<DB> for Keyed {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        text(row, 0).map(OrderKey::from_stored).map(Self)
    }
}

/// Reads the keys of a part whose deliveries wait.
pub(crate) fn waiting_keys<'q, DB: SqlTypes>(subscriber: &'q str, part: i32) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT DISTINCT d.key FROM evented_deferred d WHERE d.subscriber = ");
    statement.value(subscriber).sql(" AND d.part = ").value(part).sql(" AND d.state <> 'passed'");
    statement
}

/// Sets a delivery aside, behind all others of its part. `retry_in`: the milliseconds until the next attempt.
pub(crate) fn defer<'q, DB: SqlTypes>(
    subscriber: &'q str,
    row: &'q DeferredRow,
    retry_in: Option<i64>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "INSERT INTO evented_deferred (subscriber, part, number, stream, txid, position, input, key, state, \
         attempts, error, retry_at, deferred_at, of_parts, of_part) SELECT ",
    );
    statement.value(subscriber).sql(", ").value(row.part);
    // Not below the time: the number of a delivery that is gone is not given to another one.
    statement.sql(match DB::DATABASE {
        Database::Postgres => {
            ", GREATEST(COALESCE((SELECT max(d.number) FROM evented_deferred d WHERE d.subscriber = "
        }
        Database::Sqlite => {
            ", max(COALESCE((SELECT max(d.number) FROM evented_deferred d WHERE d.subscriber = "
        }
    });
    statement.value(subscriber).sql(" AND d.part = ").value(row.part).sql("), 0) + 1, ");
    statement.sql(now_sql::<DB>()).sql("), ");
    statement.value(row.stream.as_str()).sql(", ").value(row.offset.txid).sql(", ");
    statement.value(row.offset.position).sql(", ").value(row.input).sql(", ").value(row.key.as_str());
    statement.sql(", ").value(row.state.name()).sql(", ").value(row.attempts).sql(", ");
    match &row.error {
        Some(error) => statement.value(error.as_str()),
        None => statement.sql("NULL"),
    };
    statement.sql(", ");
    push_time(&mut statement, retry_in);
    statement.sql(", ").sql(now_sql::<DB>());
    match row.origin {
        Some((of_parts, of_part)) => statement.sql(", ").value(of_parts).sql(", ").value(of_part),
        None => statement.sql(", NULL, NULL"),
    };
    statement
}

fn push_time<DB: SqlTypes>(statement: &mut Statement<'_, DB>, from_now: Option<i64>) {
    match from_now {
        Some(time) => statement.sql(now_sql::<DB>()).sql(" + ").value(time),
        None => statement.sql("NULL"),
    };
}

fn push_part<'q, DB: SqlTypes>(statement: &mut Statement<'q, DB>, subscriber: &'q str, part: i32) {
    statement.sql(" WHERE subscriber = ").value(subscriber).sql(" AND part = ").value(part);
}

fn push_which<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    subscriber: &'q str,
    part: i32,
    number: i64,
) {
    push_part(statement, subscriber, part);
    statement.sql(" AND number = ").value(number);
}

/// Stores that a delivery failed again: its attempts, its error, and when it is tried again.
pub(crate) fn postpone<'q, DB: SqlTypes>(
    subscriber: &'q str,
    row: &'q DeferredRow,
    retry_in: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_deferred SET state = 'retry', attempts = ");
    statement.value(row.attempts).sql(", error = ").value(row.error.as_deref().unwrap_or_default());
    statement.sql(", retry_at = ");
    push_time(&mut statement, Some(retry_in));
    push_which(&mut statement, subscriber, row.part, row.number);
    statement
}

/// Stores that a delivery is not tried again until somebody says so.
pub(crate) fn bury<'q, DB: SqlTypes>(subscriber: &'q str, row: &'q DeferredRow) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_deferred SET retry_at = NULL, state = ");
    statement.value(row.state.name()).sql(", attempts = ").value(row.attempts);
    statement.sql(", error = ").value(row.error.as_deref().unwrap_or_default());
    push_which(&mut statement, subscriber, row.part, row.number);
    statement
}

/// Gives a delivery to another part, under another number.
pub(crate) fn renumber<'q, DB: SqlTypes>(
    subscriber: &'q str,
    row: &DeferredRow,
    (part, number): (i32, i64),
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_deferred SET part = ");
    statement.value(part).sql(", number = ").value(number);
    push_which(&mut statement, subscriber, row.part, row.number);
    statement
}

/// Removes a delivery that was handled, or skipped.
pub(crate) fn forget<'q, DB: SqlTypes>(subscriber: &'q str, part: i32, number: i64) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM evented_deferred");
    push_which(&mut statement, subscriber, part, number);
    statement
}

/// Makes the first delivery of a key due, if it waits for an earlier one that is not there any more. `None`: of each key.
pub(crate) fn promote<'q, DB: SqlTypes>(
    subscriber: &'q str,
    part: i32,
    key: Option<&'q OrderKey>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_deferred SET state = 'retry', retry_at = ");
    statement.sql(now_sql::<DB>());
    push_part(&mut statement, subscriber, part);
    if let Some(key) = key {
        statement.sql(" AND key = ").value(key.as_str());
    }
    statement.sql(
        " AND state = 'behind' AND number = (SELECT min(d.number) FROM evented_deferred d \
         WHERE d.subscriber = evented_deferred.subscriber AND d.part = evented_deferred.part \
         AND d.key = evented_deferred.key AND d.state <> 'passed')",
    );
    statement
}

/// Makes the deliveries of a part due at once whose events could not be read: this program may be newer.
pub(crate) fn revive_unreadable<'q, DB: SqlTypes>(subscriber: &'q str, part: i32) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_deferred SET retry_at = ");
    statement.sql(now_sql::<DB>());
    push_part(&mut statement, subscriber, part);
    statement.sql(" AND state = 'unreadable'");
    statement
}

/// Makes a delivery due at once, with all of its attempts before it: one that is dead, or that waits for its time.
pub(crate) fn revive<'q, DB: SqlTypes>(subscriber: &'q str, part: i32, number: i64) -> Statement<'q, DB> {
    let mut statement =
        Statement::new("UPDATE evented_deferred SET state = 'retry', attempts = 0, retry_at = ");
    statement.sql(now_sql::<DB>());
    push_which(&mut statement, subscriber, part, number);
    statement.sql(" AND state <> 'behind'");
    statement
}

/// Gives the deliveries of a log that are set aside the transactions that their events have now, by the positions of the events.
pub(crate) fn renumber_transactions<'q, DB: SqlTypes>(
    subscriber: &'q str,
    log: &'q CursorRow,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_deferred SET txid = e.txid FROM ");
    log.push_log(&mut statement);
    statement.sql(" e WHERE evented_deferred.subscriber = ").value(subscriber);
    statement.sql(" AND evented_deferred.stream = ").value(log.stream.as_str());
    statement.sql(" AND e.position = evented_deferred.position");
    statement
}

/// How many deliveries of a subscriber are set aside.
pub(crate) struct AsideCount {
    pub(crate) set_aside: u64,
    /// Those that are not tried again until somebody says so.
    pub(crate) dead: u64,
}

impl<DB: SqlTypes> QueryableByName<DB> for AsideCount {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let count = |index| number(row, index).map(|count| count.max(0).unsigned_abs());
        Ok(Self { set_aside: count(0)?, dead: count(1)? })
    }
}

/// Counts the deliveries of a subscriber that are set aside.
pub(crate) fn count_aside<'q, DB: SqlTypes>(subscriber: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT count(*), count(CASE WHEN d.state IN (");
    for (index, state) in [State::Dead, State::Passed, State::Unreadable].into_iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).value(state.name());
    }
    statement.sql(") THEN 1 END) FROM evented_deferred d WHERE d.subscriber = ").value(subscriber);
    statement
}
