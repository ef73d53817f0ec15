//! Finds the nodes that a proof consists of, and the stored nodes that they are computed from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::tree::{node, split};
use crate::{ConsistencyProof, InclusionProof, TreeHash};

/// The number of nodes in a [`NodeGroup`].
pub const WIDTH: u64 = 256;

/// Neighbouring nodes that are read together: up to 256 of one level, from a multiple of 256 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeGroup {
    /// The level of the nodes: each is the root of 256 to this power leaves. Level 0 are the leaves.
    pub level: u8,
    /// The number of groups of this level before it.
    pub index: u64,
}

/// A proof to make, and the nodes that have been read for it.
#[derive(Debug, Clone)]
pub struct ProofPlan {
    ranges: Vec<Range<u64>>,
    kind: Kind,
    nodes: BTreeMap<NodeGroup, Vec<TreeHash>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Inclusion { size: u64, index: u64 },
    Consistency { from: u64, to: u64 },
}

impl ProofPlan {
    /// Plans the proof that a leaf is in a tree of this size; `None` if the tree has no such leaf.
    #[must_use]
    pub fn inclusion(size: u64, index: u64) -> Option<Self> {
        let mut ranges = Vec::new();
        let mut whole = 0..size;
        if index >= size {
            return None;
        }
        while whole.end - whole.start > 1 {
            let middle = whole.start + split(whole.end - whole.start);
            if index < middle {
                ranges.push(middle..whole.end);
                whole.end = middle;
            } else {
                ranges.push(whole.start..middle);
                whole.start = middle;
            }
        }
        ranges.reverse();
        Some(Self { ranges, kind: Kind::Inclusion { size, index }, nodes: BTreeMap::new() })
    }

    /// Plans the proof that a tree of the size `from` is the beginning of one of the size `to`; `None` if it is larger.
    #[must_use]
    pub fn consistency(from: u64, to: u64) -> Option<Self> {
        if from > to {
            return None;
        }
        let mut ranges = Vec::new();
        let mut whole = 0..to;
        // Whether the rest of the earlier tree is the earlier tree itself, whose root the verifier has.
        let mut is_whole = true;
        while from > 0 && from != whole.end {
            let middle = whole.start + split(whole.end - whole.start);
            if from <= middle {
                ranges.push(middle..whole.end);
                whole.end = middle;
            } else {
                ranges.push(whole.start..middle);
                whole.start = middle;
                is_whole = false;
            }
        }
        if from > 0 && !is_whole {
            ranges.push(whole);
        }
        ranges.reverse();
        Some(Self { ranges, kind: Kind::Consistency { from, to }, nodes: BTreeMap::new() })
    }

    /// The groups of nodes to read, in order.
    #[must_use]
    pub fn groups(&self) -> Vec<NodeGroup> {
        let mut groups = BTreeSet::new();
        for range in &self.ranges {
            collect(range, &mut groups);
        }
        groups.into_iter().collect()
    }

    /// Adds the nodes of a group that exist in the larger tree, in order.
    pub fn add(&mut self, group: NodeGroup, nodes: Vec<TreeHash>) {
        self.nodes.insert(group, nodes);
    }

    /// The hashes of the proof; `None` if a node is missing.
    fn path(&self) -> Option<Vec<TreeHash>> {
        self.ranges.iter().map(|range| self.hash(range)).collect()
    }

    /// Makes the proof that a leaf is in a tree; `None` if a node is missing, or if another proof was planned.
    #[must_use]
    pub fn prove_inclusion(&self) -> Option<InclusionProof> {
        match self.kind {
            Kind::Inclusion { size, index } => Some(InclusionProof { size, index, path: self.path()? }),
            Kind::Consistency { .. } => None,
        }
    }

    /// Makes the proof that a tree is the beginning of another; `None` if a node is missing, or if another proof was
    /// planned.
    #[must_use]
    pub fn prove_consistency(&self) -> Option<ConsistencyProof> {
        match self.kind {
            Kind::Consistency { from, to } => Some(ConsistencyProof { from, to, path: self.path()? }),
            Kind::Inclusion { .. } => None,
        }
    }

    fn hash(&self, range: &Range<u64>) -> Option<TreeHash> {
        if let Some((level, index)) = stored(range) {
            let group = NodeGroup { level, index: index / WIDTH };
            return self.nodes.get(&group)?.get(usize::try_from(index % WIDTH).ok()?).copied();
        }
        let (left, right) = halves(range)?;
        Some(node(&self.hash(&left)?, &self.hash(&right)?))
    }
}

/// The level and the index of the stored node over a range; `None` if none is.
fn stored(range: &Range<u64>) -> Option<(u8, u64)> {
    let mut width = range.end.checked_sub(range.start).filter(|width| *width > 0)?;
    if !range.start.is_multiple_of(width) {
        return None;
    }
    let index = range.start / width;
    let mut level = 0;
    while width > 1 {
        if !width.is_multiple_of(WIDTH) {
            return None;
        }
        width /= WIDTH;
        level += 1;
    }
    Some((level, index))
}

fn halves(range: &Range<u64>) -> Option<(Range<u64>, Range<u64>)> {
    let width = range.end.checked_sub(range.start).filter(|width| *width > 1)?;
    let middle = range.start + split(width);
    Some((range.start..middle, middle..range.end))
}

fn collect(range: &Range<u64>, groups: &mut BTreeSet<NodeGroup>) {
    if let Some((level, index)) = stored(range) {
        groups.insert(NodeGroup { level, index: index / WIDTH });
    } else if let Some((left, right)) = halves(range) {
        collect(&left, groups);
        collect(&right, groups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frontier;
    use crate::tree::tests::{leaf, root_of};

    struct Tree {
        leaves: Vec<TreeHash>,
        stored: BTreeMap<(u8, u64), TreeHash>,
    }

    impl Tree {
        fn of(size: u64) -> Self {
            let leaves: Vec<_> = (0..size).map(leaf).collect();
            let (mut frontier, mut stored) = (Frontier::default(), BTreeMap::new());
            for leaf in &leaves {
                frontier.push_with(*leaf, |node| {
                    stored.insert((node.level, node.index), node.hash);
                });
            }
            Self { leaves, stored }
        }

        fn root(&self, size: u64) -> TreeHash {
            root_of(&self.leaves[..usize::try_from(size).expect("a small number")])
        }

        fn fill(&self, mut plan: ProofPlan) -> ProofPlan {
            for group in plan.groups() {
                let first = group.index * WIDTH;
                let nodes = (first..first + WIDTH).map_while(|index| match group.level {
                    0 => self.leaves.get(usize::try_from(index).expect("a small number")).copied(),
                    level => self.stored.get(&(level, index)).copied(),
                });
                plan.add(group, nodes.collect());
            }
            plan
        }

        fn inclusion(&self, size: u64, index: u64) -> InclusionProof {
            self.fill(ProofPlan::inclusion(size, index).expect("a leaf")).prove_inclusion().expect("nodes")
        }

        fn consistency(&self, from: u64, to: u64) -> ConsistencyProof {
            let plan = ProofPlan::consistency(from, to).expect("a beginning");
            self.fill(plan).prove_consistency().expect("nodes")
        }
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved_to_be_in_it_and_nowhere_else() {
        let tree = Tree::of(40);
        for size in 1..=40 {
            for index in 0..size {
                let proof = tree.inclusion(size, index);
                let leaf = |index: u64| &tree.leaves[usize::try_from(index).expect("a small number")];
                assert!(proof.verify(leaf(index), &tree.root(size)), "{index} in {size}");
                assert!(!proof.verify(leaf((index + 1) % 40), &tree.root(size)));
                assert!(!proof.verify(leaf(index), &tree.root(size - 1)));
                let elsewhere = InclusionProof { index: (index + 1) % size, ..proof.clone() };
                assert!(size == 1 || !elsewhere.verify(leaf(index), &tree.root(size)));
            }
        }
    }

    #[test]
    fn every_small_tree_is_proved_to_be_the_beginning_of_every_larger_one() {
        let tree = Tree::of(40);
        for to in 0..=40 {
            for from in 0..=to {
                let proof = tree.consistency(from, to);
                assert!(proof.verify(&tree.root(from), &tree.root(to)), "{from} of {to}");
                if from > 0 && from < to {
                    assert!(!proof.verify(&tree.root(from - 1), &tree.root(to)), "{from} of {to}");
                    assert!(!proof.verify(&tree.root(from), &tree.root(to - 1)), "{from} of {to}");
                }
            }
        }
    }

    #[test]
    fn a_proof_in_a_large_tree_reads_few_groups() {
        let tree = Tree::of(70_001);
        let root = tree.root(70_001);
        for index in [0, 255, 256, 65_535, 65_536, 69_999, 70_000] {
            let proof = tree.inclusion(70_001, index);
            let leaf = &tree.leaves[usize::try_from(index).expect("a small number")];
            assert!(proof.verify(leaf, &root), "{index}");
            assert!(ProofPlan::inclusion(70_001, index).expect("a leaf").groups().len() <= 6);
        }
        for from in [1, 255, 256, 257, 65_536, 65_537, 70_000] {
            assert!(tree.consistency(from, 70_001).verify(&tree.root(from), &root), "{from}");
        }
    }
}
