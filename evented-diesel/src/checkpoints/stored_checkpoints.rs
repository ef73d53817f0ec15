//! Reads the checkpoints that a log keeps.

use std::marker::PhantomData;

use evented_core::{Checkpoint, CheckpointParts, Frontier, Signature};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{EventLog, checkpoints_table};
use crate::statements::{CheckpointRow, checkpoints};

/// The offset before every event.
pub(super) const BEGINNING: (i64, i64) = (-1, 0);

/// Reads the checkpoints of a log, oldest first: `Events::checkpoints()`.
///
/// # Errors
///
/// Running it: [`Error::NotHashed`] for a log without hashes.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct Checkpoints<L>(PhantomData<fn() -> L>);

impl<L: EventLog> Checkpoints<L> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<L: EventLog> sealed::Operation for Checkpoints<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for Checkpoints<L> {
    type Output = Vec<Checkpoint>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<Checkpoint>, Error> {
        Ok(read::<DB, L, D>(executor, false).await?.iter().map(checkpoint::<L>).collect())
    }
}

/// Reads the rows of the checkpoints, oldest first; only the last one if `last` is set.
pub(super) async fn read<DB: EventedBackend, L: EventLog, D: Executor<DB>>(
    executor: &mut D,
    last: bool,
) -> Result<Vec<CheckpointRow>, Error> {
    let log = hashed::<L>()?;
    let table = checkpoints_table(L::NAME);
    let rows = executor.load::<CheckpointRow>(checkpoints(L::NAME, &table, last)).await;
    rows.map_err(|error| Error::of_log(log, error))
}

/// Returns the name of the log's table, if the log is hashed.
pub(super) fn hashed<L: EventLog>() -> Result<&'static str, Error> {
    let log = L::NAME.table;
    if L::HASHED { Ok(log) } else { Err(Error::NotHashed { log }) }
}

/// Returns the checkpoint of a row.
pub(super) fn checkpoint<L: EventLog>(row: &CheckpointRow) -> Checkpoint {
    let CheckpointRow { number, after, to, floor, highest, at, previous, root, .. } = row.clone();
    let parts = CheckpointParts { number, after, to, floor, highest, at, previous };
    // A size that other SQL made negative is that of no tree.
    let size = u64::try_from(row.size).unwrap_or(u64::MAX);
    let mut checkpoint = Checkpoint::new(&origin::<L>(), size, root, parts);
    checkpoint.signature = Signature::from_bytes(row.signer.clone(), &row.signature);
    checkpoint
}

/// Returns the name by which checkpoints refer to their log.
pub(super) fn origin<L: EventLog>() -> String {
    match L::NAME.schema {
        Some(schema) => format!("{schema}.{}", L::NAME.table),
        None => L::NAME.table.to_owned(),
    }
}

/// Returns the edge of the tree of a checkpoint; `None` if it is not the one that the checkpoint was made with.
pub(super) fn frontier(row: &CheckpointRow) -> Option<Frontier> {
    let size = u64::try_from(row.size).ok()?;
    Frontier::from_bytes(size, &row.frontier).filter(|frontier| frontier.root() == row.root)
}
