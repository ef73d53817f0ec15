//! Makes a checkpoint: adds the new events of a log to its tree, and records the root.

use std::fmt;
use std::marker::PhantomData;

use chrono::Utc;
use evented_core::{Checkpoint, Frontier, Signer, micros};

use crate::backend::EventedBackend;
use crate::checkpoints::leaf_reader::LeafReader;
use crate::checkpoints::stored_checkpoints::{self, BEGINNING, checkpoint, hashed};
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, sealed};
use crate::model::{EventLog, checkpoints_table, tree_table};
use crate::statements::{
    CheckpointRow, NODE_BINDS, NodeRow, Number, Range, horizon, write_checkpoint, write_nodes,
};

/// Creates a [`Checkpoint`] over all events so far: `Events::checkpoint()`.
///
/// Running it reads the events since the previous checkpoint only, and returns the new checkpoint. It returns `None` if
/// there are no such events. On PostgreSQL a checkpoint takes in the events of transactions before the oldest open one;
/// a later checkpoint takes in those of that transaction, and of all transactions that began after it. So `None` may
/// also mean that an open transaction holds the new events back.
///
/// # Errors
///
/// Running it: [`Error::NotHashed`] for a log without hashes; [`Error::BrokenCheckpoint`] if the previous checkpoint was
/// changed; [`Error::Sign`] if the signer fails.
#[must_use = "an operation does nothing until it is run"]
pub struct MakeCheckpoint<L> {
    signer: Option<Box<dyn Signer>>,
    log: PhantomData<fn() -> L>,
}

impl<L> fmt::Debug for MakeCheckpoint<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signer = self.signer.as_ref().map(|signer| signer.name());
        f.debug_struct("MakeCheckpoint").field("signer", &signer).finish_non_exhaustive()
    }
}

/// How often the checkpoint is tried while other processes make checkpoints of the same log.
const ATTEMPTS: u32 = 8;

impl<L: EventLog> MakeCheckpoint<L> {
    pub(super) fn new() -> Self {
        Self { signer: None, log: PhantomData }
    }

    /// Signs the checkpoint. Default: no signature.
    pub fn signed_by(mut self, signer: impl Signer + 'static) -> Self {
        self.signer = Some(Box::new(signer));
        self
    }
}

impl<L: EventLog> sealed::Operation for MakeCheckpoint<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for MakeCheckpoint<L> {
    type Output = Option<Checkpoint>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Checkpoint>, Error> {
        let log = hashed::<L>()?;
        for _ in 0..ATTEMPTS {
            let Some(next) = next::<DB, L, D>(executor, self.signer.as_deref()).await? else {
                return Ok(None);
            };
            let name = Subject::Log(log);
            let transaction = Transaction::open(executor, &name).await?;
            let result = write::<DB, L, D>(executor, &next).await;
            if transaction.close(executor, &name, result).await? {
                return Ok(Some(checkpoint::<L>(&next.row)));
            }
            // Another process was first: continue after its checkpoint.
        }
        Err(Error::Contended { record: Subject::Log(log), attempts: ATTEMPTS })
    }
}

/// A checkpoint to write, with the nodes that it completed.
struct Next {
    row: CheckpointRow,
    nodes: Vec<NodeRow>,
}

/// Reads the events since the last checkpoint, and computes the next one; `None` if there are none.
async fn next<DB: EventedBackend, L: EventLog, D: Executor<DB>>(
    executor: &mut D,
    signer: Option<&dyn Signer>,
) -> Result<Option<Next>, Error> {
    let log = L::NAME.table;
    let last = stored_checkpoints::read::<DB, L, D>(executor, true).await?.into_iter().next();
    let mut frontier = match &last {
        Some(last) => {
            let broken = || Error::BrokenCheckpoint { log, number: last.number };
            stored_checkpoints::frontier(last).ok_or_else(broken)?
        }
        None => Frontier::default(),
    };
    let ended = executor.load::<Number>(horizon()).await.map_err(|error| Error::of_log(log, error))?;
    let before_txid = ended.into_iter().next().and_then(|number| number.0);
    let (after, floor) = match &last {
        // Every transaction of the last checkpoint had ended. If it is ahead of the open ones, transaction ids have
        // restarted.
        Some(last) if before_txid.is_some_and(|open| open <= last.to.0) => (BEGINNING, last.highest),
        Some(last) => (last.to, last.floor),
        None => (BEGINNING, 0),
    };
    let mut reader = LeafReader::<L>::new(Range { after, to: None, before_txid, floor });
    let (mut to, mut highest, mut nodes) = (None, last.as_ref().map_or(0, |last| last.highest), Vec::new());
    loop {
        let page = reader.page(executor).await?;
        if page.is_empty() {
            break;
        }
        for leaf in page {
            let end = (leaf.txid, leaf.position);
            frontier.push_with(leaf.tree_hash(), |node| nodes.push(NodeRow { node, floor, last: end }));
            highest = highest.max(leaf.position);
            to = Some(end);
        }
    }
    let Some(to) = to else { return Ok(None) };
    let mut row = CheckpointRow {
        number: last.as_ref().map_or(1, |last| last.number.saturating_add(1)),
        size: frontier.size().cast_signed(),
        after,
        to,
        floor,
        highest,
        at: micros(Utc::now()),
        root: frontier.root(),
        frontier: frontier.to_bytes(),
        previous: last.map_or_else(Checkpoint::no_previous, |last| checkpoint::<L>(&last).digest()),
        signer: String::new(),
        signature: Vec::new(),
    };
    if let Some(signer) = signer {
        let mut signed = checkpoint::<L>(&row);
        signed.sign(signer).map_err(|error| Error::Sign { log, error })?;
        if let Some(signature) = signed.signature {
            row.signature = signature.to_bytes();
            row.signer = signature.signer;
        }
    }
    Ok(Some(Next { row, nodes }))
}

/// Writes a checkpoint and its nodes. Returns whether the checkpoint is the first one of its number.
async fn write<DB: EventedBackend, L: EventLog, D: Executor<DB>>(
    executor: &mut D,
    next: &Next,
) -> Result<bool, Error> {
    let of = |error| Error::of_log(L::NAME.table, error);
    let (checkpoints, tree) = (checkpoints_table(L::NAME), tree_table(L::NAME));
    let statement = write_checkpoint(L::NAME, &checkpoints, &next.row);
    if executor.execute(statement).await.map_err(of)? == 0 {
        return Ok(false);
    }
    for nodes in next.nodes.chunks(DB::MAX_BINDS / NODE_BINDS) {
        executor.execute(write_nodes(L::NAME, &tree, nodes)).await.map_err(of)?;
    }
    Ok(true)
}
