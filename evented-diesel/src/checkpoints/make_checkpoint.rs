//! Makes a checkpoint: adds the new events of a log to its tree, and records the root.

use std::fmt;
use std::marker::PhantomData;

use chrono::Utc;
use evented_core::{Checkpoint, Frontier, SignatureFault, Signer, Verifier, micros};

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
/// changed; [`Error::Sign`] if the signer fails, or the previous checkpoint is not signed as it must be.
#[must_use = "an operation does nothing until it is run"]
pub struct MakeCheckpoint<L> {
    signing: Signing,
    log: PhantomData<fn() -> L>,
}

/// The key of a checkpoint, and what the last one must be.
#[derive(Default)]
struct Signing {
    signer: Option<Box<dyn Signer>>,
    /// Further keys, with one of which the last checkpoint may be signed.
    continued: Vec<Box<dyn Verifier>>,
    continues_unsigned: bool,
}

impl Signing {
    /// Checks that the checkpoint may continue the last one. A signature over a tree that somebody else made would vouch
    /// for their events.
    fn check(&self, last: &Checkpoint) -> Result<(), String> {
        let Some(signer) = &self.signer else {
            return match &last.signature {
                Some(signature) => Err(format!(
                    "checkpoint {} is signed by `{}`, so its successor needs a signature as well",
                    last.number, signature.signer
                )),
                None => Ok(()),
            };
        };
        let signer: &dyn Verifier = &**signer;
        let verifiers = std::iter::once(signer).chain(self.continued.iter().map(AsRef::as_ref));
        match last.check_signature_of(verifiers) {
            Err(SignatureFault::Unsigned) if self.continues_unsigned => Ok(()),
            Err(fault) => Err(format!("checkpoint {}, which it would continue: {fault}", last.number)),
            Ok(()) => Ok(()),
        }
    }
}

impl<L> fmt::Debug for MakeCheckpoint<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signer = self.signing.signer.as_ref().map(|signer| signer.name());
        f.debug_struct("MakeCheckpoint").field("signer", &signer).finish_non_exhaustive()
    }
}

/// How often the checkpoint is tried while other processes make checkpoints of the same log.
const ATTEMPTS: u32 = 8;

impl<L: EventLog> MakeCheckpoint<L> {
    pub(super) fn new() -> Self {
        Self { signing: Signing::default(), log: PhantomData }
    }

    /// Signs the checkpoint. The last checkpoint of the log must be signed with the same key. Default: no signature,
    /// which is only possible if the last checkpoint has none.
    pub fn signed_by(mut self, signer: impl Signer + 'static) -> Self {
        self.signing.signer = Some(Box::new(signer));
        self
    }

    /// Allows that the last checkpoint is signed with another key: the key of the log has changed. May be called for
    /// several keys. Running it fails without [`signed_by`](Self::signed_by).
    pub fn continuing(mut self, verifier: impl Verifier + 'static) -> Self {
        self.signing.continued.push(Box::new(verifier));
        self
    }

    /// Allows that the last checkpoint has no signature: the log is signed from now on. Verify the log before.
    /// Running it fails without [`signed_by`](Self::signed_by).
    pub fn continuing_unsigned(mut self) -> Self {
        self.signing.continues_unsigned = true;
        self
    }
}

impl<L: EventLog> sealed::Operation for MakeCheckpoint<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for MakeCheckpoint<L> {
    type Output = Option<Checkpoint>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Checkpoint>, Error> {
        let log = hashed::<L>()?;
        if self.signing.signer.is_none()
            && (self.signing.continues_unsigned || !self.signing.continued.is_empty())
        {
            let error = "`continuing` has no effect on a checkpoint without `signed_by`".into();
            return Err(Error::Sign { log, error });
        }
        for _ in 0..ATTEMPTS {
            let Some(next) = next::<DB, L, D>(executor, &self.signing).await? else {
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
    signing: &Signing,
) -> Result<Option<Next>, Error> {
    let log = L::NAME.table;
    let last = stored_checkpoints::read::<DB, L, D>(executor, true).await?.into_iter().next();
    if let Some(last) = &last {
        let check = signing.check(&checkpoint::<L>(last));
        check.map_err(|reason| Error::Sign { log, error: reason.into() })?;
    }
    let mut frontier = match &last {
        Some(last) => {
            let broken = || Error::BrokenCheckpoint { log, number: last.number };
            stored_checkpoints::frontier(last).ok_or_else(broken)?
        }
        None => Frontier::default(),
    };
    let ended = executor.load::<Number>(horizon()).await.map_err(|error| Error::of_log(log, error))?;
    let before_txid = ended.into_iter().next().and_then(|number| number.0);
    let mut added = None;
    for range in ranges(last.as_ref(), before_txid) {
        let highest = last.as_ref().map_or(0, |last| last.highest);
        added = add::<DB, L, D>(executor, &mut frontier, range, highest).await?;
        if added.is_some() {
            break;
        }
    }
    let Some(Added { range: Range { after, floor, .. }, to, highest, nodes }) = added else {
        return Ok(None);
    };
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
    if let Some(signer) = signing.signer.as_deref() {
        let mut signed = checkpoint::<L>(&row);
        signed.sign(signer).map_err(|error| Error::Sign { log, error })?;
        if let Some(signature) = signed.signature {
            row.signature = signature.to_bytes();
            row.signer = signature.signer;
        }
    }
    Ok(Some(Next { row, nodes }))
}

/// The ranges in which the events of the next checkpoint may be; the first one with an event counts.
fn ranges(last: Option<&CheckpointRow>, before_txid: Option<i64>) -> Vec<Range> {
    let range = |after, floor, before_txid| Range { after, to: None, before_txid, floor };
    match last {
        None => vec![range(BEGINNING, 0, before_txid)],
        // Every transaction of the last checkpoint had ended. If it is ahead of the open ones, transaction ids have
        // restarted. The events that were written before that come first, and no open transaction is among them.
        Some(last) if before_txid.is_some_and(|open| open <= last.to.0) => {
            vec![range(last.to, last.floor, None), range(BEGINNING, last.highest, before_txid)]
        }
        Some(last) => vec![range(last.to, last.floor, before_txid)],
    }
}

/// The events that a checkpoint adds.
struct Added {
    range: Range,
    to: (i64, i64),
    highest: i64,
    nodes: Vec<NodeRow>,
}

/// Appends the events of a range to the tree; `None` if there are none.
async fn add<DB: EventedBackend, L: EventLog, D: Executor<DB>>(
    executor: &mut D,
    frontier: &mut Frontier,
    range: Range,
    mut highest: i64,
) -> Result<Option<Added>, Error> {
    let mut reader = LeafReader::<L>::new(range);
    let (mut to, mut nodes, floor) = (None, Vec::new(), range.floor);
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
    Ok(to.map(|to| Added { range, to, highest, nodes }))
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
