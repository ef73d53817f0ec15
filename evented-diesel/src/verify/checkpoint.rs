//! Writes roots over parts of a hashed log, which show what no chain shows: that events were removed.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use evented_core::{Root, RootBuilder, micros};
use serde::{Deserialize, Serialize};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::EventLog;
use crate::statements::{
    CheckpointRow, LeafRow, Number, Range, checkpoints, horizon, leaves, write_checkpoint,
};

/// A root over the events of a log since the previous checkpoint.
///
/// The log stores it in its own table of checkpoints. Also keep a copy elsewhere (it is `Serialize`), or create it with
/// a key that the database does not know: anyone who can write every table can write this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The number of the checkpoint in its log: 1, 2, 3, …
    pub number: i64,
    /// The last event before the checkpoint's events, as (transaction, position).
    pub after: (i64, i64),
    /// The last event in the checkpoint, as (transaction, position).
    pub to: (i64, i64),
    /// Events at or below this position are excluded. `0`, unless the database was restored: transaction ids then
    /// restart, and this is the last position before the restore.
    pub floor: i64,
    /// The highest position in this checkpoint and all earlier ones.
    pub highest: i64,
    /// The number of events in the checkpoint.
    pub events: i64,
    /// The time when the checkpoint was created.
    pub at: DateTime<Utc>,
    /// Whether the root was created with a key, which is then required to check it.
    pub keyed: bool,
    /// The root over the events.
    pub root: Root,
}

/// The result of checking a log against a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// The log still has the same events.
    Holds,
    /// Events were removed or added.
    Events {
        /// The number of events when the checkpoint was created.
        expected: i64,
        /// The number of events now.
        found: i64,
    },
    /// An event was changed.
    Changed,
    /// The checkpoint does not begin where the previous one ends: a checkpoint was removed or changed.
    Disconnected,
}

impl Verdict {
    /// Returns a short name of the verdict in snake case, for programs: for example `holds`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Events { .. } => "events",
            Self::Changed => "changed",
            Self::Disconnected => "disconnected",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Holds => f.write_str("holds"),
            Self::Events { expected, found } => {
                write!(f, "there were {expected} events, and there are {found}")
            }
            Self::Changed => f.write_str("an event is not the one it was"),
            Self::Disconnected => f.write_str("it does not begin where the checkpoint before it ends"),
        }
    }
}

/// The offset before every event.
const BEGINNING: (i64, i64) = (-1, 0);

/// The number of events that one statement reads.
const PAGE: i64 = 10_000;

/// Creates a [`Checkpoint`] over all events since the previous one: `Events::checkpoint()`.
///
/// Running it returns the checkpoint, or `None` if there are no events since. On PostgreSQL the checkpoint covers the
/// events of transactions before the oldest open one. The events of that transaction, and of all transactions that
/// began after it, are in a later checkpoint.
///
/// # Errors
///
/// Running it: [`Error::NotHashed`] for a log without hashes.
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct MakeCheckpoint<L> {
    key: Option<[u8; 32]>,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> MakeCheckpoint<L> {
    pub(crate) fn new() -> Self {
        Self { key: None, log: PhantomData }
    }

    /// Creates the root with a key. Creating and checking the root then both need the key. Default: no key.
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }
}

impl<L: EventLog> sealed::Operation for MakeCheckpoint<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for MakeCheckpoint<L> {
    type Output = Option<Checkpoint>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Checkpoint>, Error> {
        let log = hashed::<L>()?;
        let of = |error| Error::of_log(log, error);
        let table = table::<L>();
        let last = executor.load::<CheckpointRow>(checkpoints(L::NAME, &table, true)).await.map_err(of)?;
        let last = last.into_iter().next();
        let ended = executor.load::<Number>(horizon()).await.map_err(of)?;
        let before_txid = ended.into_iter().next().and_then(|number| number.0);
        let (after, floor) = match &last {
            // Every transaction of the last checkpoint had ended. If it is ahead of the open ones, transaction ids have
            // restarted.
            Some(last) if before_txid.is_some_and(|open| open <= last.to.0) => (BEGINNING, last.highest),
            Some(last) => (last.to, last.floor),
            None => (BEGINNING, 0),
        };
        let range = Range { after, to: None, before_txid, floor, highest: None };
        let walked = walk::<DB, L, D>(executor, range, self.key).await?;
        let Some(to) = walked.last else { return Ok(None) };
        let row = CheckpointRow {
            number: last.as_ref().map_or(1, |last| last.number + 1),
            after,
            to,
            floor,
            highest: walked.highest.max(last.map_or(0, |last| last.highest)),
            events: walked.events,
            at: micros(Utc::now()),
            keyed: self.key.is_some(),
            root: walked.root,
        };
        executor.execute(write_checkpoint(L::NAME, &table, &row)).await.map_err(of)?;
        Ok(Some(row.into()))
    }
}

/// Reads the checkpoints of a log, oldest first: `Events::checkpoints()`.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct Checkpoints<L>(PhantomData<fn() -> L>);

impl<L: EventLog> Checkpoints<L> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<L: EventLog> sealed::Operation for Checkpoints<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for Checkpoints<L> {
    type Output = Vec<Checkpoint>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<Checkpoint>, Error> {
        let log = hashed::<L>()?;
        let table = table::<L>();
        let rows = executor.load::<CheckpointRow>(checkpoints(L::NAME, &table, false)).await;
        Ok(rows.map_err(|error| Error::of_log(log, error))?.into_iter().map(Checkpoint::from).collect())
    }
}

/// Checks a part of a log against a checkpoint, from the log itself or from a copy elsewhere:
/// `Events::verify_checkpoint(&checkpoint)`.
///
/// # Errors
///
/// Running it: [`Error::CheckpointKey`] if the checkpoint was created with a key and none is given.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifyCheckpoint<L> {
    checkpoint: Checkpoint,
    key: Option<[u8; 32]>,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> VerifyCheckpoint<L> {
    pub(crate) fn new(checkpoint: &Checkpoint) -> Self {
        Self { checkpoint: checkpoint.clone(), key: None, log: PhantomData }
    }

    /// Sets the key that the checkpoint was created with. Ignored for a checkpoint without a key.
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }
}

impl<L: EventLog> sealed::Operation for VerifyCheckpoint<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for VerifyCheckpoint<L> {
    type Output = Verdict;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Verdict, Error> {
        let log = hashed::<L>()?;
        let Checkpoint { number, after, to, floor, highest, events, keyed, root, .. } = self.checkpoint;
        if keyed && self.key.is_none() {
            return Err(Error::CheckpointKey { log, number });
        }
        let range = Range { after, to: Some(to), before_txid: None, floor, highest: Some(highest) };
        let key = self.key.filter(|_| keyed);
        let walked = walk::<DB, L, D>(executor, range, key).await?;
        Ok(if walked.events != events {
            Verdict::Events { expected: events, found: walked.events }
        } else if walked.root != root {
            Verdict::Changed
        } else {
            Verdict::Holds
        })
    }
}

/// Checks a log against all of its checkpoints: `Events::verify_checkpoints()`. Running it returns those that do not
/// hold.
///
/// # Errors
///
/// Running it: [`Error::CheckpointKey`] if a checkpoint was created with a key and none is given.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifyCheckpoints<L> {
    key: Option<[u8; 32]>,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> VerifyCheckpoints<L> {
    pub(crate) fn new() -> Self {
        Self { key: None, log: PhantomData }
    }

    /// Sets the key that the checkpoints were created with. Ignored for checkpoints without a key.
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }
}

impl<L: EventLog> sealed::Operation for VerifyCheckpoints<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for VerifyCheckpoints<L> {
    type Output = Vec<(Checkpoint, Verdict)>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Self::Output, Error> {
        let all = Checkpoints::<L>::new().perform(executor).await?;
        let mut broken = Vec::new();
        let (mut last, mut number) = (None::<Checkpoint>, 0);
        for checkpoint in all {
            let connected = checkpoint.number == number + 1 && checkpoint.follows(last.as_ref());
            (last, number) = (Some(checkpoint.clone()), checkpoint.number);
            let verdict = if connected {
                VerifyCheckpoint { key: self.key, ..VerifyCheckpoint::<L>::new(&checkpoint) }
                    .perform(executor)
                    .await?
            } else {
                Verdict::Disconnected
            };
            if verdict != Verdict::Holds {
                broken.push((checkpoint, verdict));
            }
        }
        Ok(broken)
    }
}

impl Checkpoint {
    /// Returns whether the checkpoint begins where the previous one ends, or where a restored database continued after
    /// it.
    fn follows(&self, last: Option<&Self>) -> bool {
        match last {
            None => self.after == BEGINNING && self.floor == 0,
            Some(last) => {
                let goes_on = self.after == last.to && self.floor == last.floor;
                goes_on || (self.after == BEGINNING && self.floor == last.highest)
            }
        }
    }
}

fn hashed<L: EventLog>() -> Result<&'static str, Error> {
    let log = L::NAME.table;
    if L::HASHED { Ok(log) } else { Err(Error::NotHashed { log }) }
}

fn table<L: EventLog>() -> String {
    format!("{}_checkpoints", L::NAME.table)
}

/// The result of reading a part of a log.
struct Walked {
    root: Root,
    events: i64,
    last: Option<(i64, i64)>,
    highest: i64,
}

async fn walk<DB: EventedBackend, L: EventLog, D: Executor<DB>>(
    executor: &mut D,
    mut range: Range,
    key: Option<[u8; 32]>,
) -> Result<Walked, Error> {
    let mut root = RootBuilder::new(key);
    let (mut last, mut highest) = (None, 0);
    loop {
        let rows = executor.load::<LeafRow>(leaves(L::NAME, range, PAGE)).await;
        let rows = rows.map_err(|error| Error::of_log(L::NAME.table, error))?;
        let ended = i64::try_from(rows.len()).is_ok_and(|read| read < PAGE);
        for LeafRow { leaf } in rows {
            root.push(&leaf);
            highest = highest.max(leaf.position);
            range.after = (leaf.txid, leaf.position);
            last = Some(range.after);
        }
        if ended {
            break;
        }
    }
    let events = i64::try_from(root.events()).unwrap_or(i64::MAX);
    Ok(Walked { root: root.finish(), events, last, highest })
}

impl From<CheckpointRow> for Checkpoint {
    fn from(row: CheckpointRow) -> Self {
        let CheckpointRow { number, after, to, floor, highest, events, at, keyed, root } = row;
        Self { number, after, to, floor, highest, events, at, keyed, root }
    }
}
