//! Roots over parts of a hashed log, written down: they show what no chain shows, that events were taken away.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use evented_core::{Root, RootBuilder, micros};
use serde::{Deserialize, Serialize};

use crate::backend::Dialect;
use crate::error::Error;
use crate::log::EventLog;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{
    CheckpointRow, LeafRow, Number, Range, checkpoints, horizon, leaves, write_checkpoint,
};

/// A root over a part of a log, from where the last checkpoint ended.
///
/// It is kept in the log's own table of checkpoints. Keep a copy of it elsewhere, too (it is `Serialize`), or make it with
/// a key that the database does not know: who may write every table may write this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// 1, 2, 3, …
    pub number: i64,
    /// The last event that is not in it: transaction and position.
    pub after: (i64, i64),
    /// The last event that is in it: transaction and position.
    pub to: (i64, i64),
    /// Only events at positions beyond this one are in it: 0, or where a restored database went on, which counts its
    /// transactions anew.
    pub floor: i64,
    /// The highest position in it, or before it.
    pub highest: i64,
    /// How many events it is over.
    pub events: i64,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Whether it takes a key to check it.
    pub keyed: bool,
    /// The root.
    pub root: Root,
}

/// Whether a part of a log is what it was.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is.
    Holds,
    /// Events were taken away or added.
    Events {
        /// How many there were.
        expected: i64,
        /// How many there are.
        found: i64,
    },
    /// An event is not the one it was.
    Changed,
    /// The checkpoint does not begin where the one before it ends: one was taken away, or changed.
    Disconnected,
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

/// Before every event.
const BEGINNING: (i64, i64) = (-1, 0);

/// How many events are read at once.
const PAGE: i64 = 10_000;

/// Makes a [`Checkpoint`] over all events since the last one: `Events::checkpoint()`.
///
/// Run, it gives the checkpoint, or `None` if there is no event since. On PostgreSQL it is over the events of transactions
/// that had ended, with all transactions before them: what a transaction that is still open writes, and whatever was
/// written since that began, is in a later one.
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

    /// With a key: only who has it can make, and check, the root.
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }
}

impl<DB: Dialect, L: EventLog> Operation<DB> for MakeCheckpoint<L> {
    type Output = Option<Checkpoint>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Option<Checkpoint>, Error> {
        let log = hashed::<L>()?;
        let of = |error| Error::of_log(log, error);
        let table = table::<L>();
        let last = driver.load::<CheckpointRow>(checkpoints(L::NAME, &table, true)).await.map_err(of)?;
        let last = last.into_iter().next();
        let ended = driver.load::<Number>(horizon()).await.map_err(of)?;
        let before_txid = ended.into_iter().next().and_then(|number| number.0);
        let (after, floor) = match &last {
            // Every transaction of the last checkpoint had ended: if it lies ahead, they are counted anew.
            Some(last) if before_txid.is_some_and(|open| open <= last.to.0) => (BEGINNING, last.highest),
            Some(last) => (last.to, last.floor),
            None => (BEGINNING, 0),
        };
        let range = Range { after, to: None, before_txid, floor, highest: None };
        let walked = walk::<DB, L, D>(driver, range, self.key).await?;
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
        driver.execute(write_checkpoint(L::NAME, &table, &row)).await.map_err(of)?;
        Ok(Some(row.into()))
    }
}

/// The checkpoints of a log, oldest first: `Events::checkpoints()`.
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct Checkpoints<L>(PhantomData<fn() -> L>);

impl<L: EventLog> Checkpoints<L> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<DB: Dialect, L: EventLog> Operation<DB> for Checkpoints<L> {
    type Output = Vec<Checkpoint>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<Checkpoint>, Error> {
        let log = hashed::<L>()?;
        let table = table::<L>();
        let rows = driver.load::<CheckpointRow>(checkpoints(L::NAME, &table, false)).await;
        Ok(rows.map_err(|error| Error::of_log(log, error))?.into_iter().map(Checkpoint::from).collect())
    }
}

/// Checks a part of a log against a checkpoint, one of the log's own or a copy from elsewhere:
/// `Events::verify_checkpoint(&checkpoint)`.
///
/// # Errors
///
/// Running it: [`Error::CheckpointKey`] if it was made with a key and none is given.
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

    /// The key that it was made with.
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }
}

impl<DB: Dialect, L: EventLog> Operation<DB> for VerifyCheckpoint<L> {
    type Output = Verdict;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Verdict, Error> {
        let log = hashed::<L>()?;
        let Checkpoint { number, after, to, floor, highest, events, keyed, root, .. } = self.checkpoint;
        if keyed && self.key.is_none() {
            return Err(Error::CheckpointKey { log, number });
        }
        let range = Range { after, to: Some(to), before_txid: None, floor, highest: Some(highest) };
        let key = self.key.filter(|_| keyed);
        let walked = walk::<DB, L, D>(driver, range, key).await?;
        Ok(if walked.events != events {
            Verdict::Events { expected: events, found: walked.events }
        } else if walked.root != root {
            Verdict::Changed
        } else {
            Verdict::Holds
        })
    }
}

/// Checks a log against all of its checkpoints: `Events::verify_checkpoints()`. Run, it gives those that do not hold.
///
/// # Errors
///
/// Running it: [`Error::CheckpointKey`] if one was made with a key and none is given.
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

    /// The key that they were made with.
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }
}

impl<DB: Dialect, L: EventLog> Operation<DB> for VerifyCheckpoints<L> {
    type Output = Vec<(Checkpoint, Verdict)>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Self::Output, Error> {
        let all = Checkpoints::<L>::new().perform(driver).await?;
        let mut broken = Vec::new();
        let (mut last, mut number) = (None::<Checkpoint>, 0);
        for checkpoint in all {
            let connected = checkpoint.number == number + 1 && checkpoint.follows(last.as_ref());
            (last, number) = (Some(checkpoint.clone()), checkpoint.number);
            let verdict = if connected {
                VerifyCheckpoint { key: self.key, ..VerifyCheckpoint::<L>::new(&checkpoint) }
                    .perform(driver)
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
    /// Whether it begins where another ends, or where a restored database went on after that.
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

/// What a walk over a part of a log has come to.
struct Walked {
    root: Root,
    events: i64,
    last: Option<(i64, i64)>,
    highest: i64,
}

async fn walk<DB: Dialect, L: EventLog, D: Driver<DB>>(
    driver: &mut D,
    mut range: Range,
    key: Option<[u8; 32]>,
) -> Result<Walked, Error> {
    let mut root = RootBuilder::new(key);
    let (mut last, mut highest) = (None, 0);
    loop {
        let rows = driver.load::<LeafRow>(leaves(L::NAME, range, PAGE)).await;
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
