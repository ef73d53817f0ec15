//! Proves that an event is in a log, and that a checkpoint continues an earlier one.

use std::marker::PhantomData;

use evented_core::{EventProof, Leaf, LogOffset, LogProof, NodeGroup, ProofPlan, TreeHash, WIDTH};

use crate::backend::EventedBackend;
use crate::checkpoints::leaf_reader::{Segment, leaves_from, segments};
use crate::checkpoints::stored_checkpoints::{self, checkpoint};
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{EventLog, tree_table};
use crate::statements::{CheckpointRow, LeafRow, NodeEnd, block, block_before, leaf_at, nodes_of};

/// Proves that an event is in the tree of the last checkpoint: `Events::prove_inclusion(event.offset())`.
///
/// Running it returns an [`EventProof`]. It reads some 256 events at most three times, however long the log is.
///
/// # Errors
///
/// Running it: [`Error::NotHashed`] for a log without hashes; [`Error::Unprovable`] if no checkpoint covers the event, or
/// the log is not the one that the checkpoint was made of.
#[derive(Debug)]
#[must_use = "a proof is not made until it is run"]
pub struct ProveInclusion<L> {
    event: LogOffset,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> ProveInclusion<L> {
    pub(super) fn new(event: LogOffset) -> Self {
        Self { event, log: PhantomData }
    }
}

impl<L: EventLog> sealed::Operation for ProveInclusion<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for ProveInclusion<L> {
    type Output = EventProof;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<EventProof, Error> {
        let tree = Tree::<L>::read(executor).await?;
        let Some(row) = tree.rows.last() else { return Err(unprovable::<L>(LATER)) };
        let leaf = executor.load::<LeafRow>(leaf_at(L::NAME, self.event)).await.map_err(failed::<L>)?;
        let Some(LeafRow { leaf }) = leaf.into_iter().next() else {
            return Err(unprovable::<L>("it has no event at that offset"));
        };
        let checkpoint = checkpoint::<L>(row);
        let index = tree.index_of(executor, &leaf).await?;
        let plan = ProofPlan::inclusion(checkpoint.size, index).ok_or_else(|| unprovable::<L>(LATER))?;
        let plan = tree.fill(executor, plan, checkpoint.size).await?;
        let inclusion = plan.prove_inclusion().ok_or_else(|| unprovable::<L>(CHANGED))?;
        let proof = EventProof { checkpoint, event: leaf, inclusion };
        if proof.verify() { Ok(proof) } else { Err(unprovable::<L>(CHANGED)) }
    }
}

/// Proves that the last checkpoint continues an earlier one: `Events::prove_consistency(number)`.
///
/// Running it returns a [`LogProof`].
///
/// # Errors
///
/// Running it: [`Error::NotHashed`] for a log without hashes; [`Error::Unprovable`] if there is no such checkpoint, or the
/// log is not the one that the checkpoints were made of.
#[derive(Debug)]
#[must_use = "a proof is not made until it is run"]
pub struct ProveConsistency<L> {
    from: i64,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> ProveConsistency<L> {
    pub(super) fn new(from: i64) -> Self {
        Self { from, log: PhantomData }
    }
}

impl<L: EventLog> sealed::Operation for ProveConsistency<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for ProveConsistency<L> {
    type Output = LogProof;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<LogProof, Error> {
        let tree = Tree::<L>::read(executor).await?;
        let from = tree.rows.iter().find(|row| row.number == self.from);
        let (Some(from), Some(to)) = (from, tree.rows.last()) else {
            return Err(unprovable::<L>(NO_CHECKPOINT));
        };
        let (from, to) = (checkpoint::<L>(from), checkpoint::<L>(to));
        let plan = ProofPlan::consistency(from.size, to.size).ok_or_else(|| unprovable::<L>(CHANGED))?;
        let plan = tree.fill(executor, plan, to.size).await?;
        let consistency = plan.prove_consistency().ok_or_else(|| unprovable::<L>(CHANGED))?;
        let proof = LogProof { from, to, consistency };
        if proof.verify() { Ok(proof) } else { Err(unprovable::<L>(CHANGED)) }
    }
}

const NO_CHECKPOINT: &str = "it has no such checkpoint";
const LATER: &str = "no checkpoint covers the event; make one";
const CHANGED: &str =
    "an event, a checkpoint or a stored node of the tree was changed; run `verify_checkpoints()`";

fn unprovable<L: EventLog>(reason: &'static str) -> Error {
    Error::Unprovable { log: L::NAME.table, reason }
}

fn failed<L: EventLog>(error: diesel::result::Error) -> Error {
    Error::of_log(L::NAME.table, error)
}

/// The tree over a log, as its checkpoints and stored nodes describe it.
struct Tree<L> {
    rows: Vec<CheckpointRow>,
    segments: Vec<Segment>,
    /// The name of the table of nodes.
    nodes: String,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> Tree<L> {
    async fn read<DB: EventedBackend, D: Executor<DB>>(executor: &mut D) -> Result<Self, Error> {
        let rows = stored_checkpoints::read::<DB, L, D>(executor, false).await?;
        let segments = segments(&rows);
        Ok(Self { rows, segments, nodes: tree_table(L::NAME), log: PhantomData })
    }

    /// Finds the number of leaves before an event.
    async fn index_of<DB: EventedBackend, D: Executor<DB>>(
        &self,
        executor: &mut D,
        leaf: &Leaf,
    ) -> Result<u64, Error> {
        let at = (leaf.txid, leaf.position);
        let covers = |segment: &Segment| {
            at <= segment.to && leaf.position > segment.floor && leaf.position <= segment.highest
        };
        let Some(place) = self.segments.iter().position(covers) else { return Err(unprovable::<L>(LATER)) };
        let Some(segment) = self.segments.get(place) else { return Err(unprovable::<L>(LATER)) };
        let statement = block_before(L::NAME, &self.nodes, segment.floor, at);
        let blocks = executor.load::<NodeEnd>(statement).await.map_err(failed::<L>)?;
        let (start, after) = match blocks.first() {
            Some(block) => {
                (block.number.saturating_add(1).cast_unsigned().saturating_mul(WIDTH), Some(block.last))
            }
            None => (segment.before, None),
        };
        // The event is in the block after the last one before it. A block that crosses two segments may begin earlier.
        let width = usize::try_from(WIDTH).unwrap_or(usize::MAX);
        let leaves = leaves_from::<DB, L, D>(executor, &self.segments, (place, after), width).await?;
        let before = leaves.iter().position(|it| it == leaf).ok_or_else(|| unprovable::<L>(CHANGED))?;
        Ok(start.saturating_add(before as u64))
    }

    /// Reads the nodes that a proof needs.
    async fn fill<DB: EventedBackend, D: Executor<DB>>(
        &self,
        executor: &mut D,
        mut plan: ProofPlan,
        size: u64,
    ) -> Result<ProofPlan, Error> {
        for group in plan.groups() {
            let nodes = if group.level == 0 {
                self.leaves(executor, group, size).await?
            } else {
                let statement = nodes_of(L::NAME, &self.nodes, group);
                let nodes = executor.load::<NodeEnd>(statement).await.map_err(failed::<L>)?;
                nodes.into_iter().map(|node| node.hash).collect()
            };
            plan.add(group, nodes);
        }
        Ok(plan)
    }

    /// Reads the leaves of a group, up to the size of the tree.
    async fn leaves<DB: EventedBackend, D: Executor<DB>>(
        &self,
        executor: &mut D,
        group: NodeGroup,
        size: u64,
    ) -> Result<Vec<TreeHash>, Error> {
        let first = group.index.saturating_mul(WIDTH);
        let from = match group.index.checked_sub(1) {
            None => (0, None),
            Some(last) => {
                let statement = block(L::NAME, &self.nodes, last);
                let blocks = executor.load::<NodeEnd>(statement).await.map_err(failed::<L>)?;
                let end = blocks.first().ok_or_else(|| unprovable::<L>(CHANGED))?;
                let segment = self.segments.iter().position(|segment| segment.floor == end.floor);
                (segment.ok_or_else(|| unprovable::<L>(CHANGED))?, Some(end.last))
            }
        };
        let count = usize::try_from(WIDTH.min(size.saturating_sub(first))).unwrap_or(0);
        let leaves = leaves_from::<DB, L, D>(executor, &self.segments, from, count).await?;
        Ok(leaves.iter().map(Leaf::tree_hash).collect())
    }
}
