//! Lists what a subscriber has set aside, tries it again, or skips it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use evented_core::LogOffset;
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Operation, Transaction, sealed};
use serde::Serialize;

use crate::key::{IntoKey, OrderKey};
use crate::store::{self, DeferredRow, Patience, State, load, lock_part, subject, write};

/// A delivery that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetAside {
    /// Names the delivery, for [`Which::One`].
    pub id: SetAsideId,
    /// The log of the event.
    pub log: String,
    /// The transaction of the event; 0 on SQLite.
    pub txid: i64,
    /// The position of the event in its log.
    pub position: i64,
    /// The key of the delivery. Deliveries of one key wait for each other.
    pub key: String,
    /// The state.
    pub state: SetAsideState,
    /// How many attempts have failed.
    pub attempts: i32,
    /// The text of the last failure; `None` for a delivery that only waits for an earlier one.
    pub error: Option<String>,
    /// The time until the next attempt, in milliseconds; `None` if none is planned.
    pub retry_in_ms: Option<i64>,
    /// The time since it was set aside, in milliseconds.
    pub age_ms: i64,
}

/// The state of a delivery that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SetAsideState {
    /// It failed, and is tried again.
    Retry,
    /// It waits for an earlier delivery of its key.
    Behind,
    /// It is not tried again until somebody says so. Its key waits.
    Dead,
    /// It is not tried again until somebody says so. Its key goes on.
    PassedOver,
    /// The program could not read the event. It is tried again when a worker takes the part of the key.
    Unreadable,
}

impl From<State> for SetAsideState {
    fn from(state: State) -> Self {
        match state {
            State::Retry => Self::Retry,
            State::Behind => Self::Behind,
            State::Dead => Self::Dead,
            State::Passed => Self::PassedOver,
            State::Unreadable => Self::Unreadable,
        }
    }
}

/// Names a delivery that was set aside, within its subscriber. Its text has the form `3/17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetAsideId {
    part: i32,
    number: i64,
}

impl fmt::Display for SetAsideId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.number)
    }
}

/// The error for a text that does not name a delivery.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` does not name a delivery that was set aside: the form is `3/17`")]
pub struct NotASetAsideId(String);

impl FromStr for SetAsideId {
    type Err = NotASetAsideId;

    fn from_str(text: &str) -> Result<Self, NotASetAsideId> {
        let read = || {
            let (part, number) = text.split_once('/')?;
            Some(Self { part: part.parse().ok()?, number: number.parse().ok()? })
        };
        read().ok_or_else(|| NotASetAsideId(text.to_owned()))
    }
}

impl Serialize for SetAsideId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<DeferredRow> for SetAside {
    fn from(row: DeferredRow) -> Self {
        let LogOffset { txid, position } = row.offset;
        Self {
            id: SetAsideId { part: row.part, number: row.number },
            log: row.stream,
            txid,
            position,
            key: row.key.to_string(),
            state: row.state.into(),
            attempts: row.attempts,
            error: row.error,
            retry_in_ms: row.due_in.map(|time| time.max(0)),
            age_ms: row.age,
        }
    }
}

/// Which deliveries of a subscriber an operation is about, of those that failed. Those that only wait for them follow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// All.
    All,
    /// One.
    One(SetAsideId),
    /// Those of a key.
    Key(String),
}

impl Which {
    /// Returns those of a key: that of a record, or the one that [`Input::key`](crate::Input::key) gave.
    pub fn key(key: impl IntoKey) -> Self {
        Self::Key(key.into_key().map(|key| OrderKey::of(&key).to_string()).unwrap_or_default())
    }

    fn includes(&self, row: &DeferredRow) -> bool {
        match self {
            Self::All => true,
            Self::One(id) => (id.part, id.number) == (row.part, row.number),
            Self::Key(key) => row.key.to_string() == *key,
        }
    }
}

/// Lists what a subscriber has set aside, in the order in which it happened, and at most 10,000 deliveries.
pub fn set_aside(subscriber: impl Into<String>) -> ListAside {
    ListAside { subscriber: subscriber.into() }
}

/// Lists what a subscriber has set aside. Returned by [`set_aside`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct ListAside {
    subscriber: String,
}

/// The most deliveries that one list has.
const LISTED: i64 = 10_000;

impl sealed::Operation for ListAside {}

impl<DB: EventedBackend> Operation<DB> for ListAside {
    type Output = Vec<SetAside>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Vec<SetAside>, Error> {
        let statement = store::deferred_of(&self.subscriber, LISTED);
        let rows = load::<DeferredRow, _, _>(executor, statement).await?;
        Ok(rows.into_iter().map(SetAside::from).collect())
    }
}

/// Tries deliveries again that have failed, at once and with all of their attempts before them. Returns how many.
pub fn retry(subscriber: impl Into<String>, which: Which) -> RetryAside {
    RetryAside { subscriber: subscriber.into(), which }
}

/// Tries deliveries again. Returned by [`retry`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct RetryAside {
    subscriber: String,
    which: Which,
}

/// Skips deliveries that have failed: they count as handled, and the deliveries that waited for them go on. Returns how
/// many.
pub fn skip(subscriber: impl Into<String>, which: Which) -> Skip {
    Skip { subscriber: subscriber.into(), which }
}

/// Skips deliveries. Returned by [`skip`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Skip {
    subscriber: String,
    which: Which,
}

impl sealed::Operation for RetryAside {}
impl sealed::Operation for Skip {}

impl<DB: EventedBackend> Operation<DB> for RetryAside {
    type Output = usize;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<usize, Error> {
        let mut count = 0;
        for row in heads(executor, &self.subscriber, &self.which).await? {
            let revived = write(executor, store::revive(&self.subscriber, row.part, row.number)).await;
            count += revived.map_err(|error| error.about(subject(&self.subscriber)))?;
        }
        Ok(count)
    }
}

impl<DB: EventedBackend> Operation<DB> for Skip {
    type Output = usize;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<usize, Error> {
        let mut count = 0;
        for row in heads(executor, &self.subscriber, &self.which).await? {
            let name = subject(&self.subscriber);
            let transaction = Transaction::around(executor, &name, true).await?;
            let skipped = skip_one(executor, &self.subscriber, &row).await;
            let skipped = transaction.close(executor, &name, skipped).await;
            count += skipped.map_err(|error| error.about(name))?;
        }
        Ok(count)
    }
}

async fn skip_one<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &str,
    row: &DeferredRow,
) -> Result<usize, Error> {
    // Not while a batch lines up deliveries behind this one.
    lock_part(executor, subscriber, row.part, Patience::Waits).await?;
    let skipped = write(executor, store::forget(subscriber, row.part, row.number)).await?;
    if skipped > 0 {
        write(executor, store::promote(subscriber, row.part, Some(&row.key))).await?;
    }
    Ok(skipped)
}

/// Reads the deliveries that have failed: not those that only wait.
async fn heads<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &str,
    which: &Which,
) -> Result<Vec<DeferredRow>, Error> {
    let rows = load::<DeferredRow, _, _>(executor, store::deferred_of(subscriber, i64::MAX)).await?;
    Ok(rows.into_iter().filter(|row| row.state != State::Behind && which.includes(row)).collect())
}

/// Returns a time in milliseconds as a duration.
pub(super) fn duration(millis: i64) -> Duration {
    Duration::from_millis(millis.max(0).unsigned_abs())
}
